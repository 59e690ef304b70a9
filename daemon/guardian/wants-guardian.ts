// Whether this command line is to run under a guardian. Looked at before anything else is loaded: the guardian stays
// small because it never loads what the daemon and the other commands need.
import { guardianVariable } from './wire.ts';

export const withoutGuardian = '--no-guardian';

/** Options that may stand before the command's name. */
const withValue = new Set(['--socket']);
const information = new Set(['-h', '--help', '--version']);

export function wantsGuardian(argv: readonly string[], env: NodeJS.ProcessEnv): boolean {
  if (commandIn(argv) !== 'serve') return false;
  // The daemon itself, started by its guardian with the same command line.
  if (env[guardianVariable] === String(process.ppid)) return false;
  return !argv.some((word) => word === withoutGuardian || information.has(word));
}

function commandIn(argv: readonly string[]): string | undefined {
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? '';
    if (withValue.has(word)) at += 1;
    else if (!word.startsWith('-')) return word;
  }
  return undefined;
}
