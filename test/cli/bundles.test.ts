// `nagaya bundles`: what was recorded when services failed, listed and printed, with the daemon and after its end.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ServedDaemon, fileCleanup, nagaya, serve } from '../labs/cli-process.ts';
import { until } from '../labs/until.ts';

const file = fileCleanup();
let daemon: ServedDaemon;
before(async () => {
  daemon = await serve(file, ['--plugins', fileURLToPath(new URL('../fixtures/services/lab', import.meta.url))]);
});

test('bundles are listed and printed, also when the daemon is gone', async () => {
  assert.match((await daemon.nagaya(['bundles'])).stderr, /there are no bundles/);
  await daemon.json(['publish', 'test.lab', '{"do":"exit","code":7}', '--ingress', 'work', '--kind', 'do']);
  await until(
    'a bundle is there',
    async () => ((await daemon.json(['bundles'])) as { bundles: unknown[] }).bundles.length === 1,
  );
  const listed = await daemon.nagaya(['bundles', '--plugin', 'test.lab']);
  const name = /^\d{8}T\d{9}Z-test\.lab\.json/m.exec(listed.stdout)?.[0] ?? '';
  assert.match(
    listed.stdout,
    /^NAME +PLUGIN +FAILED AT +SIZE\n\S+ +test\.lab +\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d{3} +\S+ KiB/,
  );
  const bundle = JSON.parse((await daemon.nagaya(['bundles', name])).stdout) as {
    plugin: string;
    lastError: { code: string };
  };
  assert.deepEqual([bundle.plugin, bundle.lastError.code], ['test.lab', 'cell_crashed']);
  assert.deepEqual(await daemon.json(['bundles', 'latest']), bundle);
  assert.equal((await daemon.nagaya(['bundles', 'none'])).code, 2);
  assert.equal((await daemon.nagaya(['bundles', 'latest', '--plugin', 'test.other'])).code, 2);

  daemon.running.child.kill('SIGTERM');
  await daemon.running.ended;
  const later = await daemon.nagaya(['bundles', name, '--json'], {
    env: { NAGAYA_STATE: join(daemon.folder, 'state') },
  });
  assert.deepEqual(JSON.parse(later.stdout), bundle);
  const config = join(daemon.folder, 'nagaya.json');
  writeFileSync(config, '{"stateFolder":"state"}');
  assert.match((await nagaya(file, ['bundles', '--config', config])).stdout, /test\.lab/);
});
