// The modules that a daemon has loaded by the time it listens, each by its place in the repository.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { commandFile, repository, startProcess } from './cli-process.ts';

function modulesIn(url: string): string[] {
  if (!url.startsWith(pathToFileURL(join(repository, 'dist')).href)) return [url];
  const { sources } = JSON.parse(readFileSync(fileURLToPath(`${url}.map`), 'utf8')) as { sources: string[] };
  return sources.map((source) => new URL(source, url).href.slice(pathToFileURL(repository).href.length));
}

/** The folder holds its nagaya.json. */
export async function modulesLoaded(
  t: TestContext,
  folder: string,
  plugins: readonly string[] = [],
): Promise<string[]> {
  writeFileSync(
    join(folder, 'hooks.mjs'),
    `import { writeSync } from 'node:fs';
export async function load(url, context, next) { writeSync(2, 'loaded ' + url + '\\n'); return next(url, context); }`,
  );
  const script = join(folder, 'script.mjs');
  writeFileSync(
    script,
    `import { register } from 'node:module';
register(${JSON.stringify(pathToFileURL(join(folder, 'hooks.mjs')).href)});
await import(${JSON.stringify(pathToFileURL(commandFile).href)});`,
  );
  const daemon = startProcess(
    t,
    process.execPath,
    [
      script,
      'serve',
      '--no-guardian',
      '--json',
      '--config',
      join(folder, 'nagaya.json'),
      ...(plugins.length === 0 ? [] : ['--plugins', ...plugins]),
    ],
    { env: { NAGAYA_SOCKET: join(folder, 's') } },
  );
  await daemon.until('listening', ({ stdout }) => stdout.includes('"listening"'));
  daemon.child.kill('SIGTERM');
  const { stderr } = await daemon.ended;
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('loaded file:'))
    .map((line) => line.slice('loaded '.length))
    .flatMap((url) => (url.includes('/dist/') && !url.includes('/node_modules/') ? modulesIn(url) : [url]));
}
