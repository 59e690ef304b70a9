// A store that cannot be opened: what is not stored goes on, what cannot be decided is refused at once, and both work
// again when the store does.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { until } from '../labs/until.ts';

const lab = fileURLToPath(new URL('../fixtures/services/lab', import.meta.url));
const plugin = 'test.lab';
const event = { ingress: 'work', kind: 'do', payload: { do: 'echo' } };

test('a delivery behind an event of which nobody knows whether it is stored is refused at once, until the store works', async (t) => {
  const stateFolder = join(await temporaryFolder(t), 'state');
  mkdirSync(stateFolder);
  const inTheWay = join(stateFolder, 'store');
  writeFileSync(inTheWay, '');
  const daemon = await startTestDaemon(t, { plugins: [lab], config: { stateFolder } });
  const client = await daemon.connect();
  const deliver = (): Promise<unknown> => client.call('ingress.deliver', { plugin, event });
  const publish = (): Promise<unknown> => client.call('ingress.publish', { plugin, event });
  await deliver();
  await assert.rejects(publish(), { code: 'storage_failed' });
  await assert.rejects(deliver(), { code: 'storage_failed', message: /The event was not accepted/ });
  rmSync(inTheWay);
  await until('events are stored again', () =>
    publish().then(
      () => true,
      () => false,
    ),
  );
  await deliver();
});
