// What is wrong with a plugin's entry: that it cannot be imported, or does not export what the manifest declares. Nothing of it runs.
import type { Issue } from '../../../protocol/errors.ts';
import { nearest } from '../../../protocol/issues.ts';
import { linkEntry } from '../../isolates/entry-linking.ts';
import { findEntry } from '../../plugins/entry-file.ts';

const shownNames = 20;
const parts = ['service', 'tools', 'profiles'] as const;

/** `manifest`: as it was written, whether it is valid or not. */
export async function entryIssues(folder: string, manifest: unknown, deadlineMs: number): Promise<Issue[]> {
  const { entry: declared } = fieldsOf(manifest);
  if (typeof declared !== 'string') return [];
  const entry = findEntry(folder, declared);
  if (!entry.ok) return [entry.issue];
  const { fault, exports } = await linkEntry({ folder, entry: entry.path }, deadlineMs);
  if (fault === undefined) return exportIssues(manifest, exports);
  if (fault === 'deadline') return [{ path: 'entry', message: `cannot be read within ${String(deadlineMs)} ms, with all that it imports` }];
  return [{ path: 'entry', message: `cannot be imported: ${fault.place === undefined ? '' : `${fault.place}: `}${fault.error}` }];
}

/** Which parts of a plugin the manifest declares and the module does not export. What is inside them shows only when they run. */
function exportIssues(manifest: unknown, names: readonly string[]): Issue[] {
  // A default export may hold all of them.
  if (names.includes('default') && !parts.some((part) => names.includes(part))) return [];
  const others = names.filter((name) => !parts.some((part) => part === name));
  return parts
    .filter((part) => isDeclared(fieldsOf(manifest)[part]) && !names.includes(part))
    .map((part) => ({ path: 'entry', message: `exports no \`${part}\`, which plugin.json declares; ${insteadOf(part, names, others)}` }));
}

function insteadOf(part: string, names: readonly string[], others: readonly string[]): string {
  const meant = nearest(part, others);
  if (meant !== undefined) return `it exports \`${meant}\`: did you mean \`${part}\`?`;
  return names.length === 0 ? 'it exports nothing' : `it exports ${names.slice(0, shownNames).map((name) => `\`${name}\``).join(', ')}`;
}

const isDeclared = (part: unknown): boolean => (Array.isArray(part) ? part.length > 0 : part !== undefined);

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {});
