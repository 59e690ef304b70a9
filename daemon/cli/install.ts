// Where this installation lies and how a person calls it from any folder: what is printed for pasting must work in a
// shell that knows nothing of the present one.
import { accessSync, constants, readFileSync, realpathSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultSocketPath } from '../../protocol/client/socket-path.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const fromSource = import.meta.url.endsWith('.ts');

/** The folder of package.json. */
export const packageRoot = resolve(fileURLToPath(new URL(fromSource ? '../../' : '../../../', import.meta.url)));

/** The file that runs the command: always the compiled one, as in an installation. */
export const commandFile = join(packageRoot, 'dist/daemon/cli/nagaya.js');

/** What npm links as the command: it loads the compiled file. */
export const launcherFile = join(packageRoot, 'bin/nagaya.cjs');

export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  return version;
}

const plainWord = /^[A-Za-z0-9_./:@%+=,-]+$/;

/** One word of a shell command, whatever is in it. */
export function shellWord(word: string): string {
  return plainWord.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    // Not there, or not ours to see: then it is not the file in question.
    return undefined;
  }
}

function onPath(name: string, env: Environment): string | undefined {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    // Folders that npm puts there for its own scripts are not there in a person's shell.
    if (!folder.startsWith('/') || folder.endsWith('/node_modules/.bin')) continue;
    const candidate = join(folder, name);
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not in this folder: the next one is asked.
    }
  }
  return undefined;
}

/** The `nagaya` that a shell would run. */
export const nagayaOnPath = (env: Environment = process.env): string | undefined => onPath('nagaya', env);

/** The words before the command's name. */
function commandWords(env: Environment): string[] {
  const found = nagayaOnPath(env);
  const real = found === undefined ? undefined : realPath(found);
  if (real !== undefined && (real === realPath(launcherFile) || real === realPath(commandFile))) return ['nagaya'];
  const node = onPath('node', env);
  return [node !== undefined && realPath(node) === realPath(process.execPath) ? 'node' : process.execPath, commandFile];
}

/** A command line for any shell of this user; the socket is named where the user's own default is another. */
export function pasteable(words: readonly string[], socket?: string, env: Environment = process.env): string {
  const named =
    socket === undefined || socket === defaultSocketPath({ ...env, NAGAYA_SOCKET: undefined })
      ? []
      : ['--socket', socket];
  return [...commandWords(env), ...words, ...named].map(shellWord).join(' ');
}
