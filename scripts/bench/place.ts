// Where the compiled programs of the suite and of the daemon are. The suite itself runs compiled: a transformer's own
// wrappers around every function would be part of what is measured.
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..', '..', '..');
export const command = join(root, 'dist', 'daemon', 'cli', 'nagaya.js');
export const program = (name: string): string => join(root, 'dist', 'scripts', 'bench', ...`${name}.js`.split('/'));
