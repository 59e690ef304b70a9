// `nagaya new service|tool DIR`: a plugin to begin with, which runs and whose test passes before a line was written.
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join, relative, resolve } from 'node:path';
import { Argument, type Command, Option } from 'commander';
import { HostError } from '../../../protocol/errors.ts';
import { localFailure, usageFailure } from '../failure.ts';
import { groups } from '../groups.ts';
import { packageRoot, pasteable, shellWord } from '../install.ts';
import { examples, runs } from '../invocation.ts';
import { type StarterSource, starterSources } from '../authoring/starter/source-starter.ts';
import { type StarterKind, starterFiles, starterKinds } from '../authoring/starter/starter.ts';
import { styled } from '../views/terminal.ts';

interface NewOptions {
  readonly id?: string;
  readonly typescript?: boolean;
  readonly source?: StarterSource;
}

export function register(program: Command): void {
  program
    .command('new')
    .helpGroup(groups.author)
    .description('write a working plugin to start from, with a test')
    .addArgument(new Argument('<kind>', 'what it is').choices(starterKinds))
    .argument('<folder>', 'where to write it; it must be new or empty')
    .option('--id <id>', "id of the plugin (default: the folder's name)")
    .option('--typescript', 'write the entry in TypeScript')
    .addOption(new Option('--source <type>', 'of a service: what the daemon feeds it from').choices(starterSources))
    .addHelpText(
      'after',
      examples(
        'nagaya new service ./greeter',
        'nagaya new service ./pushes --source webhook',
        'nagaya new tool ./words --typescript --id example.words',
      ),
    )
    .action(
      runs<[StarterKind, string], NewOptions>(async ({ terminal }, options, kind, folder) => {
        if (options.source !== undefined && kind !== 'service')
          throw usageFailure(`A ${kind} has no source.`, 'Write `nagaya new service` with --source.');
        const target = resolve(folder);
        const id = options.id ?? idFromFolder(target);
        await refuseWrongId(id);
        await prepareFolder(target);
        const files = starterFiles({ kind, id, typescript: options.typescript === true, from: options.source });
        for (const { path, text } of files) await writeFile(join(target, path), text, { flag: 'wx' });
        const linked = join(target, 'node_modules', 'nagaya');
        await mkdir(join(target, 'node_modules'));
        await symlink(packageRoot, linked, 'dir');
        const next = [
          `cd ${shellWord(nearPath(target))} && node --test`,
          pasteable(['check', target]),
          pasteable(['load', target, ...(kind === 'service' ? ['--start'] : [])]),
        ];
        terminal.answer(
          {
            kind,
            id,
            folder: target,
            files: files.map(({ path }) => path),
            linked: { path: linked, to: packageRoot },
            next,
          },
          () => {
            terminal.line(
              `wrote the ${kind} `,
              styled('bold', id),
              ` to ${target}: ${files.map(({ path }) => path).join(', ')}`,
            );
            terminal.note(
              `linked node_modules/nagaya to ${packageRoot}, so that 'nagaya/sdk' and the test work as they are`,
            );
            if (options.typescript === true && !loadsTypescript())
              terminal.note(
                styled(
                  'yellow',
                  `Node ${process.versions.node} needs tsx for an entry in TypeScript: run \`npm install\` in ${shellWord(nearPath(target))}`,
                ),
              );
            terminal.line();
            terminal.line('Try next:');
            for (const command of next) terminal.line('  ', styled('cyan', command));
          },
        );
      }),
    );
}

/** Relative where that is shorter to read. */
function nearPath(target: string): string {
  const path = relative(process.cwd(), target) || '.';
  return path.startsWith('..') ? target : path;
}

/** The folder's name in the form of an id. */
function idFromFolder(folder: string): string {
  return basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/^[-.]+|[-.]+$/g, '');
}

async function refuseWrongId(id: string): Promise<void> {
  const { pluginId } = await import('../../../protocol/identifiers.ts');
  const { reservedIdIssue } = await import('../../plugins/reserved-id.ts');
  const remedy = 'Name one with --id, such as --id example.greeter.';
  const reserved = reservedIdIssue(id);
  if (reserved !== undefined)
    throw usageFailure(`"${id}" cannot be the id of a plugin: it ${reserved.message}.`, remedy);
  const checked = pluginId.safeParse(id);
  if (!checked.success)
    throw usageFailure(
      `"${id}" cannot be the id of a plugin: it ${checked.error.issues[0]?.message ?? 'has another form'}.`,
      remedy,
    );
}

/** As the shell's `mkdir` makes it; the umask takes off what the user does not want. */
const folderMode = 0o777;

async function prepareFolder(target: string): Promise<void> {
  const refuse = (message: string): never => {
    throw localFailure(
      new HostError('invalid_request', `${target} ${message}.`),
      'Name a folder that does not exist yet, or an empty one.',
    );
  };
  try {
    const { makeFolders } = await import('../../files/make-folders.ts');
    makeFolders(target, folderMode);
    if ((await readdir(target)).length === 0) return;
  } catch (error) {
    refuse(`cannot be made: ${(error as Error).message}`);
  }
  refuse('is not empty, and nothing in it is overwritten');
}

/** By itself, or through tsx where that is installed beside this package. */
function loadsTypescript(): boolean {
  // Only newer Node has the property; its types describe Node 20.
  if ((process.features as { typescript?: unknown }).typescript) return true;
  try {
    createRequire(join(packageRoot, 'package.json')).resolve('tsx/esm/api');
    return true;
  } catch {
    // Not installed: that is the answer.
    return false;
  }
}
