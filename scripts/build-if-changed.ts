// The first half of `npm start`: builds if the sources have changed since the last build, and says so before it does
// it, because a first build takes longer than a person waits for silence.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { isBuilt } from './build-state.ts';

const root = join(import.meta.dirname, '..');
const say = (text: string): void => void process.stderr.write(`${text}\n`);

if (!(await isBuilt(root))) {
  say('Building Nagaya, because its sources are newer than dist/: this takes up to a minute.');
  process.exitCode = spawnSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' }).status ?? 1;
}
if (process.exitCode === undefined || process.exitCode === 0) say('Starting the daemon with the plugins of examples/.');
