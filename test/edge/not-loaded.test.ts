// A daemon whose plugins declare no source loads nothing of what runs them.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryFolder } from '../labs/cli-process.ts';
import { modulesLoaded } from '../labs/loaded-modules.ts';
import { githubSource } from '../labs/webhook-lab.ts';
import { writePlugin } from '../labs/written-plugin.ts';

/** The modules that a daemon with one plugin has loaded once it listens. */
async function loadedBy(t: TestContext, sources: readonly object[]): Promise<string[]> {
  const folder = temporaryFolder(t);
  writePlugin(join(folder, 'plugin'), {
    manifest: { service: { ingresses: [{ name: 'pushes', kinds: ['push'] }], sources } },
    files: { 'index.js': 'export const service = { start() {}, handleIngress() {} };' },
  });
  writeFileSync(join(folder, 'nagaya.json'), JSON.stringify({ stateFolder: 'state', webhooks: { port: 0 } }));
  return await modulesLoaded(t, folder, [join(folder, 'plugin')]);
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
