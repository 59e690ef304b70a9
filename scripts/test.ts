// `npm test [-- NAME…]`: builds, checks types, style and structure, and runs the tests. With names it only builds and
// runs the test files whose paths contain one of them, such as a room of `test/` (`npm test -- services`), for quick
// feedback.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Resolves to the exit code of one of the package's scripts. */
async function run(script: string, names: readonly string[] = []): Promise<number> {
  const child = spawn('npm', ['run', '--silent', script, ...(names.length === 0 ? [] : ['--', ...names])], {
    stdio: 'inherit',
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

async function test(names: readonly string[]): Promise<number> {
  const built = await run('build');
  if (built !== 0) return built;
  if (names.length === 0) {
    const checked = await Promise.all(['types', 'lint', 'check'].map((script) => run(script)));
    const failed = checked.find((code) => code !== 0);
    if (failed !== undefined) return failed;
  }
  return await run('test:only', names);
}

process.exitCode = await test(process.argv.slice(2));
