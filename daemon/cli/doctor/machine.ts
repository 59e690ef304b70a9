// What the machine gives: the version of Node, open files, and which `nagaya` a shell would find.
import { realpathSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { commandFile, nagayaOnPath, pasteable, shellWord } from '../install.ts';
import { type Finding, fault, ok, warning } from './finding.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const leastNode = [20, 20] as const;

export function checkNode(version: string = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const fits = major > leastNode[0] || (major === leastNode[0] && minor >= leastNode[1]);
  if (fits) return ok('node', `Node ${version}`);
  return fault(
    'node',
    `Node ${version} is too old: ${leastNode.join('.')} or newer is needed`,
    'Install the current LTS release, for example with `nvm install --lts`.',
  );
}

/** What Node could not raise by itself: it begins by asking for as many as the hard limit allows. */
export async function checkOpenFiles(connections: number, limitsFile = '/proc/self/limits'): Promise<Finding> {
  const needed = connections + 256;
  let text: string;
  try {
    text = await readFile(limitsFile, 'utf8');
  } catch {
    // Not Linux: the system's own tools must say.
    return ok('open files', 'the limit is not known on this system', 'See it with `ulimit -Hn`.');
  }
  const [, soft = '', hard = ''] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(text) ?? [];
  const limit = Math.max(
    ...[soft, hard].map((word) => (word === 'unlimited' ? Number.POSITIVE_INFINITY : Number(word) || 0)),
  );
  if (limit >= needed) return ok('open files', `up to ${String(limit)}`);
  return warning(
    'open files',
    `only ${String(limit)} files may be open, and ${String(connections)} connections with the plugins' own files need about ${String(needed)}`,
    `Raise it before \`nagaya serve\`: \`ulimit -n ${String(needed)}\` (the hard limit may need an administrator), or lower limits.connections.`,
  );
}

export function checkCommand(env: Environment = process.env): Finding {
  const found = nagayaOnPath(env);
  if (found === undefined) {
    return ok(
      'command',
      'nagaya is not on the PATH',
      `Call it as \`${pasteable([], undefined, env)}\`, or put it there: \`alias nagaya=${shellWord(pasteable([], undefined, env))}\``,
    );
  }
  if (realpathSync(found) === realpathSync(commandFile)) return ok('command', `${found} is this installation`);
  return warning(
    'command',
    `${found} is another installation than this one (${commandFile})`,
    'Run `hash -r`, or change the order of the PATH, so that one of the two is used.',
  );
}
