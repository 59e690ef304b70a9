// How soaks and trials start the built daemon: everything in one folder, with the plugins that lie in it.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const command = fileURLToPath(new URL('../dist/daemon/cli/nagaya.js', import.meta.url));

export const socketIn = (folder: string): string => join(folder, 'n.sock');

export const daemonArguments = (folder: string): string[] => [
  command,
  'serve',
  '--no-guardian',
  '--json',
  '--log-level',
  'error',
  '--socket',
  socketIn(folder),
  '--config',
  join(folder, 'nagaya.json'),
  '--plugins',
  join(folder, 'plugins'),
];
