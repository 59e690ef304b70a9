// A queue that has filled its disk to the last byte: the next daemon reads it and works it off, without any help.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from '../../protocol/client/client.ts';
import type { ServiceStatus } from '../../protocol/status.ts';
import { type ServedDaemon, jsonLines, serve } from '../labs/cli-process.ts';
import { mountSmallDisk } from '../labs/small-disk.ts';
import { until } from '../labs/until.ts';

const id = 'test.fills';

function writePlugin(folder: string): string {
  mkdirSync(folder);
  const service = {
    ingresses: [{ name: 'in', kinds: ['k'] }],
    queue: { capacity: 10_000 },
    timeouts: { handleMs: 600_000 },
  };
  writeFileSync(
    join(folder, 'plugin.json'),
    JSON.stringify({ schemaVersion: 1, id, name: 'F', version: '1.0.0', entry: './index.mjs', service }),
  );
  // The first daemon handles nothing.
  writeFileSync(
    join(folder, 'index.mjs'),
    `import { existsSync } from 'node:fs';
     export const service = { start() {}, async handleIngress(event, ctx) {
       while (!existsSync(${JSON.stringify(join(folder, 'go'))})) await new Promise((go) => setTimeout(go, 20));
       ctx.state.set('count', (ctx.state.get('count') ?? 0) + 1);
     } };`,
  );
  return folder;
}

async function killed(daemon: ServedDaemon): Promise<void> {
  process.kill((jsonLines(daemon.running.stdout())[0] as { pid: number }).pid, 'SIGKILL');
  await daemon.running.ended;
}

test('a queue that has filled its disk is read and worked off by the next daemon', async (t) => {
  const mounted = mountSmallDisk(t);
  if (mounted === undefined) return;
  const { disk, folder: stateFolder, beside: folder } = mounted;
  const args = ['--no-guardian', '--state', stateFolder];
  const first = await serve(t, args);
  await first.json(['load', writePlugin(join(folder, 'plugin'))]);
  await first.json(['start', id]);
  const client = await connect({ socket: first.socket });
  let accepted = 0;
  for (let refused = false; !refused;) {
    const events = Array.from({ length: 10 }, () => ({ ingress: 'in', kind: 'k', payload: 'x'.repeat(100_000) }));
    const answer = await client.call('ingress.publish', { plugin: id, events });
    assert.ok('results' in answer);
    for (const result of answer.results) {
      if (result.accepted) accepted += 1;
      else assert.equal(result.error.code, 'storage_full');
    }
    refused = answer.results.some((result) => !result.accepted);
  }
  void client.close();
  disk.fill();
  await killed(first);

  writeFileSync(join(folder, 'plugin', 'go'), '');
  const next = await serve(t, args);
  const status = async (): Promise<ServiceStatus> => (await next.json(['status', id])) as ServiceStatus;
  await until('all of it is handled', async () => (await status()).counters.handled === accepted, 60_000);
  await until('its end is on disk', async () => (await status()).queue.onDisk === 0, 60_000);
  assert.equal((await status()).counters.recovered, accepted);
  await killed(next);
  const last = await serve(t, args);
  assert.deepEqual(((await last.json(['state', id])) as { state: unknown }).state, { count: accepted });
});
