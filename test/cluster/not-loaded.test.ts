// A daemon whose configuration names no cluster loads nothing of it.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../labs/cli-process.ts';
import { modulesLoaded } from '../labs/loaded-modules.ts';

const ofCluster = (module: string): boolean =>
  /^(?:daemon|workers|protocol)\/cluster\//.test(module) ||
  module.includes('@nats-io') ||
  module.startsWith('daemon/runtimes/remote/');

test('without cluster in the configuration nothing of it is loaded', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'nagaya.json'), JSON.stringify({ stateFolder: 'state' }));
  const loaded = await modulesLoaded(t, folder);
  assert.ok(loaded.includes('daemon/host/daemon.ts'), loaded.join('\n'));
  assert.deepEqual(loaded.filter(ofCluster), []);
});

test('a daemon loads what asks other daemons only where its configuration names one', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'token'), 'a-token-0123456789-0123456789', { mode: 0o600 });
  const runtimes = [{ id: 'far', url: 'http://127.0.0.1:1', tokenFile: 'token' }];
  writeFileSync(join(folder, 'nagaya.json'), JSON.stringify({ stateFolder: 'state', runtimes }));
  const loaded = await modulesLoaded(t, folder);
  assert.ok(loaded.includes('daemon/runtimes/remote/remote-daemons.ts'), loaded.join('\n'));
});

test('with it it is, and the daemon listens although no server answers', async (t) => {
  const folder = temporaryFolder(t);
  const cluster = { name: 'c', member: 'm', nats: { servers: 'nats://127.0.0.1:1' } };
  writeFileSync(join(folder, 'nagaya.json'), JSON.stringify({ stateFolder: 'state', cluster }));
  const loaded = await modulesLoaded(t, folder);
  assert.ok(loaded.includes('daemon/cluster/cluster.ts'), loaded.join('\n'));
});
