// What a plugin with `permissions` can and cannot do, in cells of both kinds.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { HostError } from '../../protocol/errors.ts';
import type { Isolation } from '../../protocol/manifest.ts';
import { type Lab, lab } from '../labs/service-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

async function running(t: TestContext, isolation: Isolation, permissions: object): Promise<Lab> {
  const made = await lab({ isolation, permissions });
  t.after(() => made.service.stop({ now: true }).catch(() => {}));
  await made.service.start();
  return made;
}

const denied =
  (grant: RegExp) =>
  (error: unknown): true => {
    assert.ok(error instanceof HostError, String(error));
    assert.equal(error.code, 'dispatch_failed', error.message);
    assert.match(error.message, grant);
    return true;
  };

for (const isolation of ['thread', 'process'] as const) {
  test(`in a ${isolation}, a plugin without grants runs, and reads its own folder alone`, async (t) => {
    const made = await running(t, isolation, {});
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'secret'), 'not yours');
    assert.equal(await made.deliver({ do: 'echo', value: 1 }), 1);
    assert.match(
      String(
        await made.deliver({
          do: 'read',
          path: new URL('../fixtures/services/lab/plugin.json', import.meta.url).pathname,
        }),
      ),
      /test\.lab/,
    );
    await assert.rejects(made.deliver({ do: 'read', path: join(folder, 'secret') }), denied(/permissions\.fs\.read/));
    await assert.rejects(made.deliver({ do: 'write', path: join(folder, 'new') }), denied(/permissions\.fs\.write/));
    await assert.rejects(made.deliver({ do: 'grandchild' }), denied(/childProcess/));
    await assert.rejects(made.deliver({ do: 'nestedWorker' }), denied(/\bworker\b/));
    assert.equal(made.service.lifecycle, 'running');
  });

  test(`in a ${isolation}, a plugin does what it is granted`, async (t) => {
    const folder = await temporaryFolder(t);
    const made = await running(t, isolation, { fs: { read: [folder], write: [folder] }, childProcess: true });
    await made.deliver({ do: 'write', path: join(folder, 'new') });
    assert.equal(await readFile(join(folder, 'new'), 'utf8'), 'written');
    assert.equal(await made.deliver({ do: 'read', path: join(folder, 'new') }), 'written');
    const pid = Number(await made.deliver({ do: 'grandchild' }));
    process.kill(pid, 'SIGKILL');
  });

  test(`in a ${isolation}, a payload is still checked against its schema`, async (t) => {
    const made = await running(t, isolation, {});
    await assert.rejects(
      made.service.deliver({ ingress: 'strict', kind: 'do', payload: { id: 'x' } }, 5000),
      (error) => error instanceof HostError && error.code === 'payload_invalid',
    );
  });
}

test('a restricted process cell that hangs is ended like any other, though nobody can say where it was', async (t) => {
  const made = await running(t, 'process', {});
  await assert.rejects(
    made.deliver({ do: 'loop' }),
    (error) => error instanceof HostError && error.code === 'dispatch_timeout',
  );
});

test('a process cell that is granted threads may start them', async (t) => {
  const made = await running(t, 'process', { worker: true });
  assert.equal(await made.deliver({ do: 'nestedWorker' }), 'spinning');
});
