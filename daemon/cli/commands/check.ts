// `nagaya check DIR`: whether a plugin would load, without running any of it.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type CredentialUse, credentialText, credentialUses } from '../../../protocol/credential-uses.ts';
import { type Issue, issueText } from '../../../protocol/errors.ts';
import { exitCodes } from '../failure.ts';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { plural } from '../views/quantity.ts';
import { type Terminal, styled } from '../views/terminal.ts';

interface CheckReport {
  readonly valid: boolean;
  readonly folder: string;
  readonly plugin: {
    readonly id: string;
    readonly version: string;
    readonly entry: string;
    readonly hasService: boolean;
    readonly tools: readonly string[];
    readonly profiles: readonly string[];
    /** The MCP server that it hosts: its program or its address. */
    readonly server?: string;
  } | null;
  readonly issues: readonly Issue[];
  readonly notes: readonly string[];
  readonly credentials: readonly CredentialUse[];
}

const checkMs = 20_000;

export function register(program: Command): void {
  program
    .command('check')
    .helpGroup(groups.author)
    .description(
      'validate a plugin without running it: manifest, JSON Schemas, the entry with all that it imports, and what it exports',
    )
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
  const { inspectPlugin } = await import('../../plugins/manifest-file.ts');
  const { schemaIssues } = await import('../../isolates/schema-compilation.ts');
  const { entryIssues } = await import('../authoring/entry-issues.ts');
  const { limits } = await import('../../config/schema.ts');
  const {
    folder: root,
    plugin,
    issues: found,
    written,
  } = inspectPlugin(folder, { overrides: {}, manifestBytes: limits.parse({}).manifestBytes });
  // A fault of the manifest hides none of the schemas or the entry.
  const more = await Promise.all([schemaIssues(written, checkMs), entryIssues(root, written, checkMs)]);
  const issues = [...found, ...more.flat().filter((issue) => !found.some(({ path }) => path === issue.path))];
  if (plugin === undefined) return { valid: false, folder: root, plugin: null, issues, notes: [], credentials: [] };
  const { id, manifest, entry, notes } = plugin;
  const server = manifest.mcp?.command ?? manifest.mcp?.url;
  return {
    valid: issues.length === 0,
    folder: root,
    plugin: {
      id,
      version: manifest.version,
      entry,
      hasService: manifest.service !== undefined,
      tools: manifest.tools.map(({ name }) => name),
      profiles: manifest.profiles.map(({ name }) => name),
      ...(server === undefined ? {} : { server }),
    },
    issues,
    notes,
    credentials: credentialUses(manifest),
  };
}

function showReport(terminal: Terminal, { valid, folder, plugin, issues, notes, credentials }: CheckReport): void {
  if (plugin !== null) {
    const named = (word: string, names: readonly string[]): string[] =>
      names.length === 0 ? [] : [`${plural(names.length, word)} (${names.join(', ')})`];
    const parts = [
      ...(plugin.hasService ? ['a service'] : []),
      ...(plugin.server === undefined ? [] : [`an MCP server (${plugin.server})`]),
      ...named('tool', plugin.tools),
      ...named('profile', plugin.profiles),
    ];
    terminal.line(
      styled('bold', `${plugin.id} ${plugin.version}`),
      `  ${parts.length === 0 ? 'neither service nor tools nor profiles' : parts.join(' and ')}`,
    );
  }
  for (const one of credentials) terminal.line(styled('dim', 'credential '), credentialText(one));
  for (const note of notes) terminal.line(styled('yellow', 'note  '), note);
  for (const issue of issues) terminal.line(styled('red', 'fault '), issueText(issue));
  terminal.line(
    valid ? styled('green', 'valid') : styled('red', `not valid: ${plural(issues.length, 'fault')}`),
    `  ${folder}`,
  );
}
