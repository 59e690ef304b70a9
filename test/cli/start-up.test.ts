// A command that only talks to the daemon loads little: a person waits for it, and a shell asks at every press of Tab.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { commandFile, repository, startProcess, temporaryFolder } from '../labs/cli-process.ts';

/** A built file may hold many modules; its map names them. */
function modulesIn(url: string): string[] {
  if (!url.startsWith(pathToFileURL(join(repository, 'dist')).href)) return [url];
  const { sources } = JSON.parse(readFileSync(fileURLToPath(`${url}.map`), 'utf8')) as { sources: string[] };
  return sources.map((source) => new URL(source, url).href.slice(pathToFileURL(repository).href.length));
}

for (const args of [
  ['status'],
  ['deliver', 'x', '1'],
  ['call', 'x', 'y'],
  ['logs'],
  ['watch'],
  ['--help'],
  ['__complete', 'st'],
]) {
  test(`nagaya ${args.join(' ')} loads neither the schemas nor the host`, async (t) => {
    const folder = temporaryFolder(t);
    const hooks = join(folder, 'hooks.mjs');
    writeFileSync(
      hooks,
      `import { writeSync } from 'node:fs';
export async function load(url, context, next) { writeSync(2, 'loaded ' + url + '\\n'); return next(url, context); }`,
    );
    const script = join(folder, 'script.mjs');
    writeFileSync(
      script,
      `import { register } from 'node:module';
register(${JSON.stringify(pathToFileURL(hooks).href)});
await import(${JSON.stringify(pathToFileURL(commandFile).href)});`,
    );
    const ran = await startProcess(t, process.execPath, [script, ...args], {
      env: { NAGAYA_SOCKET: join(folder, 'none') },
    }).ended;
    const files = ran.stderr
      .split('\n')
      .filter((line) => line.startsWith('loaded file:'))
      .map((line) => line.slice('loaded '.length));
    const loaded = files.filter((url) => url !== pathToFileURL(script).href).flatMap(modulesIn);
    assert.ok(loaded.includes('daemon/cli/program.ts'), ran.stderr);
    assert.deepEqual(
      loaded.filter((module) =>
        /\/zod\/|\/pino\/|\/piscina\/|\/ajv\/|\/yaml\/|^workers\/|^daemon\/(?!cli\/|guardian\/(?:wants-guardian|wire|standard-error)\.ts)/.test(
          module,
        ),
      ),
      [],
    );
  });
}
