// `npm test [-- NAME…]`: builds, checks types, style and structure, and runs the tests. With names it only builds and
// runs the test files whose paths contain one of them, such as a room of `test/` (`npm test -- services`), for quick
// feedback.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { text } from 'node:stream/consumers';

const npmArguments = (script: string, names: readonly string[]): string[] => [
  'run',
  '--silent',
  script,
  ...(names.length === 0 ? [] : ['--', ...names]),
];

async function endOf(child: ChildProcess): Promise<number> {
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

/** Resolves to the exit code of one of the package's scripts. */
const run = (script: string, names: readonly string[] = []): Promise<number> =>
  endOf(spawn('npm', npmArguments(script, names), { stdio: 'inherit' }));

/** The same in the time that others leave; what it says is printed together, as soon as it has ended. */
async function runBeside(script: string): Promise<number> {
  const child = spawn('npm', npmArguments(script, []), { stdio: ['ignore', 'pipe', 'pipe'] });
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  const [code, printed, complaints] = await Promise.all([endOf(child), text(child.stdout), text(child.stderr)]);
  const said = `${printed}${complaints}`.trimEnd();
  if (code !== 0) console.error(`\n${said}\n\`npm run ${script}\` failed.\n`);
  else if (said !== '') console.log(said);
  return code;
}

async function test(names: readonly string[]): Promise<number> {
  const built = await run('build');
  if (built !== 0) return built;
  // Tests wait for something a good part of their time, and leave it to the checks.
  const checks = names.length === 0 ? ['types', 'lint', 'check'] : [];
  const codes = await Promise.all([run('test:only', names), ...checks.map(runBeside)]);
  const failed = ['test:only', ...checks].filter((_script, at) => codes[at] !== 0);
  if (failed.length > 0) console.error(`Failed: ${failed.join(', ')}`);
  return codes.find((code) => code !== 0) ?? 0;
}

process.exitCode = await test(process.argv.slice(2));
