// What an author or operator should know of a manifest that is valid: what this daemon does not act on, so that nobody
// relies on it, and which of the declared environment variables are not set.
import type { Manifest } from '../../protocol/manifest.ts';

/** From this version on Node adds the working folder to what a restricted thread may read. */
const threadsReadAround = Number(process.versions.node.split('.')[0]) >= 22;

/** `env`: the environment from which the plugin's cells get theirs. */
export function notesOn(
  { isolation, permissions, service, profiles, env: declared }: Manifest,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string[] {
  const notes: string[] = declared
    .filter((name) => env[name] === undefined)
    .map((name) => `env: ${name} is declared and is not set, so the plugin does not see it.`);
  if (
    threadsReadAround &&
    permissions !== undefined &&
    (service !== undefined || profiles.length > 0) &&
    isolation === 'thread'
  ) {
    notes.push(
      `permissions: Node ${process.versions.node} lets a thread read what lies under the daemon's own working folder too; isolation "process" holds the grants exactly.`,
    );
  }
  return notes;
}
