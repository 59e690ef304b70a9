// `nagaya bundles [NAME]`: the flight-recorder bundles in the state folder, also when no daemon runs any more.
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { HostError } from '../../../protocol/errors.ts';
import { usageFailure } from '../failure.ts';
import { groups } from '../groups.ts';
import { type Invocation, examples, runs } from '../invocation.ts';
import { bytesText, timeText } from '../views/quantity.ts';
import { printTable } from '../views/table.ts';

interface BundlesOptions {
  readonly plugin?: string;
  readonly config?: string;
}

interface Bundle {
  readonly name: string;
  readonly plugin: string;
  readonly at: string;
  readonly bytes: number;
  readonly path: string;
}

export function register(program: Command): void {
  program
    .command('bundles')
    .helpGroup(groups.see)
    .description('list what was recorded when services failed, or print one of these bundles')
    .argument('[name]', 'name of a bundle; `latest` for the newest')
    .option('--plugin <plugin>', 'only those of this plugin')
    .option('--config <path>', 'configuration the daemon was started with, where it does not run')
    .addHelpText(
      'after',
      examples(
        'nagaya bundles',
        'nagaya bundles latest --plugin example.greeter',
        'nagaya bundles latest --json | jq -r .log[].msg',
      ),
    )
    .action(
      runs<[string | undefined], BundlesOptions>(async (invocation, options, name) => {
        const { terminal } = invocation;
        const bundles = await bundlesIn(join(await stateFolder(invocation, options.config), 'bundles'), options.plugin);
        if (name === undefined) {
          terminal.answer({ bundles }, () => {
            if (bundles.length === 0) terminal.note('there are no bundles: no service has failed');
            else
              printTable(
                terminal,
                ['NAME', 'PLUGIN', 'FAILED AT', 'SIZE'],
                bundles.map((bundle) => [bundle.name, bundle.plugin, timeText(bundle.at), bytesText(bundle.bytes)]),
              );
          });
          return;
        }
        const bundle =
          name === 'latest' ? bundles.at(-1) : bundles.find((one) => one.name === name || one.name === `${name}.json`);
        if (bundle === undefined)
          throw usageFailure(`There is no bundle ${name}.`, 'See `nagaya bundles` for those there are.');
        const content = JSON.parse(await readFile(bundle.path, 'utf8')) as unknown;
        terminal.answer(content, () => terminal.value(content));
      }),
    );
}

/** The running daemon knows best; without one the configuration says. */
async function stateFolder(invocation: Invocation, configPath: string | undefined): Promise<string> {
  try {
    if (configPath === undefined)
      return (await invocation.withDaemon((client) => client.call('daemon.status', {}))).stateFolder;
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'daemon_unreachable') throw error;
  }
  const [{ loadConfig }, { defaultStateFolder }] = await Promise.all([
    import('../../config/load.ts'),
    import('../../config/state-folder.ts'),
  ]);
  const { config } = await loadConfig(configPath === undefined ? {} : { path: configPath });
  return config.stateFolder ?? defaultStateFolder();
}

/** Oldest first. */
async function bundlesIn(folder: string, plugin: string | undefined): Promise<Bundle[]> {
  const { bundleName } = await import('../../telemetry/flight-recorder.ts');
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return [];
  });
  const bundles = await Promise.all(
    names.sort().map(async (name): Promise<Bundle | undefined> => {
      const found = bundleName.exec(name)?.groups;
      const path = join(folder, name);
      const bytes = (await stat(path).catch(() => undefined))?.size;
      if (found === undefined || bytes === undefined) return undefined;
      return { name, plugin: found['plugin'] ?? '', at: readable(found['at'] ?? ''), bytes, path };
    }),
  );
  return bundles.filter(
    (bundle) => bundle !== undefined && (plugin === undefined || bundle.plugin === plugin),
  ) as Bundle[];
}

/** `20300101T120000000Z` as the instant it stands for. */
const readable = (at: string): string =>
  at.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z$/, '$1-$2-$3T$4:$5:$6.$7Z');
