// A tool may take the daemon down as soon as it begins: whose thread it runs in is in the account by then.
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { accountBytes, readAccount } from '../../daemon/files/loss-account-layout.ts';
import { lossAccount } from '../../daemon/files/loss-account.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { withTools } from '../labs/tool-lab.ts';
import { until } from '../labs/until.ts';

for (const isolation of ['pooled', 'fresh'] as const) {
  test(`the thread of a ${isolation} tool is in the account before its call begins, and no longer than it lives`, async (t) => {
    const path = join(await temporaryFolder(t), 'account');
    const file = openSync(path, 'w+');
    t.after(() => closeSync(file));
    lossAccount.open(file);
    const threads = (): string[] =>
      readAccount(readFileSync(path).subarray(0, accountBytes)).threads.map(({ plugin }) => plugin);
    await withTools('watched', { isolation }, async ({ call, logs }) => {
      const abort = new AbortController();
      const staying = call('stay', { way: 'waits' }, { signal: abort.signal });
      await until('it has begun', () => logs.length > 0);
      assert.deepEqual([...new Set(threads())], ['fixture.watched']);
      abort.abort();
      await assert.rejects(staying);
    });
    await until('no thread is left', () => threads().length === 0);
  });
}
