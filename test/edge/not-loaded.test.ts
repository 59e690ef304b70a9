// A daemon whose plugins declare no source loads nothing of what runs them.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { commandFile, repository, startProcess, temporaryFolder } from '../labs/cli-process.ts';
import { githubSource } from '../labs/webhook-lab.ts';
import { writePlugin } from '../labs/written-plugin.ts';

function modulesIn(url: string): string[] {
  if (!url.startsWith(pathToFileURL(join(repository, 'dist')).href)) return [url];
  const { sources } = JSON.parse(readFileSync(fileURLToPath(`${url}.map`), 'utf8')) as { sources: string[] };
  return sources.map((source) => new URL(source, url).href.slice(pathToFileURL(repository).href.length));
}

/** The modules that a daemon with one plugin has loaded once it listens. */
async function loadedBy(t: TestContext, sources: readonly object[]): Promise<string[]> {
  const folder = temporaryFolder(t);
  writePlugin(join(folder, 'plugin'), {
    manifest: { service: { ingresses: [{ name: 'pushes', kinds: ['push'] }], sources } },
    files: { 'index.js': 'export const service = { start() {}, handleIngress() {} };' },
  });
  writeFileSync(join(folder, 'nagaya.json'), JSON.stringify({ stateFolder: 'state', webhooks: { port: 0 } }));
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
      '--plugins',
      join(folder, 'plugin'),
    ],
    { env: { NAGAYA_SOCKET: join(folder, 's') } },
  );
  await daemon.until('listening', ({ stdout }) => stdout.includes('"listening"'));
  daemon.child.kill('SIGTERM');
  const { stderr } = await daemon.ended;
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('loaded file:') && line.includes('/dist/'))
    .flatMap((line) => modulesIn(line.slice('loaded '.length)));
}

test('without a source nothing of the edge is loaded but what would load it', async (t) => {
  const loaded = await loadedBy(t, []);
  assert.ok(loaded.includes('daemon/host/daemon.ts'), loaded.join('\n'));
  assert.deepEqual(
    loaded.filter((module) => /^(?:daemon|workers|protocol)\/edge\//.test(module)),
    ['daemon/edge/on-demand.ts'],
  );
});

test('with one it is', async (t) => {
  const loaded = await loadedBy(t, [githubSource]);
  assert.ok(loaded.includes('daemon/edge/sources.ts'), loaded.join('\n'));
});
