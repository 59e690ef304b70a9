// `nagaya check DIR`: whether a plugin would load, without running any of it.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { HostError, type Issue } from '../../../protocol/errors.ts';
import type { LoadedPlugin } from '../../plugins/plugin.ts';
import { exitCodes } from '../failure.ts';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { plural } from '../views/quantity.ts';
import { type Terminal, styled } from '../views/terminal.ts';

interface CheckReport {
  readonly valid: boolean;
  readonly folder: string;
  readonly plugin: { readonly id: string; readonly version: string; readonly entry: string; readonly hasService: boolean; readonly tools: readonly string[]; readonly profiles: readonly string[] } | null;
  readonly issues: readonly Issue[];
  readonly notes: readonly string[];
}

const checkMs = 20_000;

export function register(program: Command): void {
  program
    .command('check')
    .helpGroup(groups.author)
    .description('validate a plugin without running it: manifest, JSON Schemas, and the entry with all that it imports')
    .argument('<folder>', 'folder that holds plugin.json')
    .addHelpText('after', examples('nagaya check ./greeter', 'nagaya check ./greeter --json'))
    .action(
      runs<[string]>(async ({ terminal }, _options, folder) => {
        const report = await checkPlugin(resolve(folder));
        terminal.answer(report, () => showReport(terminal, report));
        return report.valid ? exitCodes.fine : exitCodes.failed;
      }),
    );
}

async function checkPlugin(folder: string): Promise<CheckReport> {
  const { readPlugin } = await import('../../plugins/manifest-file.ts');
  const { limits } = await import('../../config/schema.ts');
  let plugin: LoadedPlugin;
  try {
    plugin = await readPlugin(folder, { overrides: {}, manifestBytes: limits.parse({}).manifestBytes });
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'plugin_invalid') throw error;
    const issues = (error.details['issues'] as Issue[] | undefined) ?? [{ path: '', message: error.message }];
    return { valid: false, folder, plugin: null, issues, notes: [] };
  }
  const { schemaIssues } = await import('../authoring/schema-compilation.ts');
  const { entryIssues } = await import('../../isolates/entry-linking.ts');
  const issues = (await Promise.all([schemaIssues(plugin.manifest, checkMs), entryIssues(plugin, checkMs)])).flat();
  const { id, manifest, entry, notes } = plugin;
  return {
    valid: issues.length === 0,
    folder: plugin.folder,
    plugin: { id, version: manifest.version, entry, hasService: manifest.service !== undefined, tools: manifest.tools.map(({ name }) => name), profiles: manifest.profiles.map(({ name }) => name) },
    issues,
    notes,
  };
}

function showReport(terminal: Terminal, { valid, folder, plugin, issues, notes }: CheckReport): void {
  if (plugin !== null) {
    const named = (word: string, names: readonly string[]): string[] => (names.length === 0 ? [] : [`${plural(names.length, word)} (${names.join(', ')})`]);
    const parts = [...(plugin.hasService ? ['a service'] : []), ...named('tool', plugin.tools), ...named('profile', plugin.profiles)];
    terminal.line(styled('bold', `${plugin.id} ${plugin.version}`), `  ${parts.length === 0 ? 'neither service nor tools nor profiles' : parts.join(' and ')}`);
  }
  for (const note of notes) terminal.line(styled('yellow', 'note  '), note);
  for (const { path, message } of issues) terminal.line(styled('red', 'fault '), path === '' ? message : `${path}: ${message}`);
  terminal.line(valid ? styled('green', 'valid') : styled('red', `not valid: ${plural(issues.length, 'fault')}`), `  ${folder}`);
}
