// `nagaya load DIR`: makes a plugin known to the daemon, and starts it where asked.
import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Client } from '../../../protocol/client/client.ts';
import { HostError } from '../../../protocol/errors.ts';
import type { PluginSummary } from '../../../protocol/operations/plugin.ts';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { styled } from '../views/terminal.ts';

interface LoadOptions {
  readonly start?: boolean;
  readonly once?: boolean;
}

/** With --start, a plugin whose last start failed is read again instead of being refused as loaded already. */
async function loadOrReload(
  client: Client,
  folder: string,
  { start = false, once = false }: LoadOptions,
): Promise<{ plugin: PluginSummary }> {
  try {
    return await client.call('plugin.load', { path: folder, remember: !once });
  } catch (thrown) {
    if (
      !start ||
      !(thrown instanceof HostError) ||
      thrown.code !== 'plugin_already_loaded' ||
      thrown.details['path'] !== (await realpath(folder))
    )
      throw thrown;
    const id = String(thrown.details['plugin']);
    const { plugin } = await client.call('plugin.show', { plugin: id });
    if (plugin.lifecycle !== 'failed' && plugin.lifecycle !== 'ready') throw thrown;
    return await client.call('plugin.reload', { plugin: id });
  }
}

export function register(program: Command): void {
  program
    .command('load')
    .helpGroup(groups.plugins)
    .description('load a plugin, also when the daemon starts again; its service runs only once it is started')
    .argument('<folder>', 'folder that holds plugin.json')
    .option('--start', 'start its service as well')
    .option('--once', 'for this run of the daemon only')
    .addHelpText(
      'after',
      examples('nagaya load ./greeter', 'nagaya load ./greeter --start', 'nagaya load ./greeter --once'),
    )
    .action(
      runs<[string], LoadOptions>(async ({ terminal, withDaemon }, options, folder) => {
        await withDaemon(async (client) => {
          const { plugin } = await loadOrReload(client, resolve(folder), options);
          const starts = options.start === true && plugin.hasService;
          const service = starts ? await client.call('service.start', { plugin: plugin.id }) : undefined;
          terminal.answer(
            service === undefined ? { plugin } : { plugin: { ...plugin, lifecycle: service.lifecycle }, service },
            () => {
              terminal.line(
                `${plugin.id} ${plugin.version} is loaded${service === undefined ? '' : ` and ${service.lifecycle}`}`,
              );
              for (const note of plugin.notes) terminal.note(styled('yellow', note));
              if (plugin.hasService && !starts) terminal.note(`start its service with \`nagaya start ${plugin.id}\``);
              if (options.once !== true && !plugin.remembered)
                terminal.note(
                  styled(
                    'yellow',
                    'the store does not work at the moment: the daemon remembers the plugin when it works again',
                  ),
                );
              if (options.start === true && !plugin.hasService) terminal.note('it has no service to start');
            },
          );
        });
      }),
    );
}
