// No tool's process outlives its daemon, whatever the tool does and whatever it is refused; and what keeps watch over
// it is not the tool's to use.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { identityOf } from '../../daemon/isolates/process-identity.ts';
import { isGone, untilGone } from '../labs/process-watch.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { withTools } from '../labs/tool-lab.ts';
import { until } from '../labs/until.ts';

const host = fileURLToPath(new URL('../fixtures/tools/host-that-dies.ts', import.meta.url));
const watched = fileURLToPath(new URL('../fixtures/tools/watched', import.meta.url));
const models = [
  [{}, ''],
  [{ permissions: { childProcess: true } }, ', under the permission model'],
] as const;

for (const [permissions, under] of models) {
  for (const way of ['loops', 'waits', 'sits in native code']) {
    test(`a tool's process whose daemon is killed ends, and its child with it, also while the tool ${way}${under}`, async () => {
      const dying = spawn(process.execPath, ['--import', 'tsx', host, JSON.stringify({ way, ...permissions })], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      try {
        const [chunk] = (await once(dying.stdout, 'data', { signal: AbortSignal.timeout(30_000) })) as [Buffer];
        const { pid, child } = JSON.parse(chunk.toString()) as { pid: number; child: number };
        assert.deepEqual([isGone(pid), isGone(child)], [false, false]);
        dying.kill('SIGKILL');
        await untilGone(pid, 10_000);
        await untilGone(child, 10_000);
      } finally {
        dying.kill('SIGKILL');
      }
    });
  }
}

for (const isolation of ['pooled', 'fresh'] as const) {
  test(`what a ${isolation} tool's thread has started ends with it, when it is idle and when its tools are closed`, async () => {
    for (const toolIdleMs of [100, 60_000]) {
      const started: number[] = [];
      await withTools('watched', { isolation, limits: { toolIdleMs } }, async ({ call, logs, tools }) => {
        await call('leave', { way: 'is idle' });
        await until('its log is here', () => logs.length > 0);
        const { child } = JSON.parse(String(logs[0]?.type === 'log' && logs[0].fields)) as { child: number };
        started.push(child);
        if (toolIdleMs < 1000) await until('its thread is gone', () => tools.threads === 0);
      });
      assert.equal(started.length, 1);
      for (const child of started) await untilGone(child, 10_000);
    }
  });
}

for (const [permissions, under] of models) {
  for (const way of ['is idle', 'exits', 'throws later']) {
    test(`what a tool's process has started ends with it, when it ${way}${under}`, async () => {
      const options = { isolation: 'process', limits: { toolIdleMs: 300 }, ...permissions } as const;
      await withTools('watched', options, async ({ call, logs }) => {
        await call('leave', { way }).catch(() => {});
        await until('its log is here', () => logs.length > 0);
        const { pid, child } = JSON.parse(String(logs[0]?.type === 'log' && logs[0].fields)) as {
          pid: number;
          child: number;
        };
        await untilGone(pid, 10_000);
        await untilGone(child, 10_000);
      });
    });
  }
}

test('a tool may start threads where its plugin is granted them, and not otherwise', async () => {
  for (const permissions of [undefined, { worker: true }]) {
    await withTools(
      'watched',
      { isolation: 'process', ...(permissions === undefined ? {} : { permissions }) },
      async ({ call }) => {
        assert.equal(await call('startThread'), 'started');
      },
    );
  }
  await withTools('watched', { isolation: 'process', permissions: {} }, async ({ refusal }) => {
    const error = await refusal('startThread');
    assert.equal(error.code, 'tool_failed');
    assert.match(error.message, /permissions\.worker would allow it/);
  });
});

test('a tool in a process finds its standard input empty', async () => {
  await withTools('watched', { isolation: 'process' }, async ({ call }) => {
    assert.deepEqual(await call('stdin'), { text: '', raw: 'EAGAIN' });
    assert.equal(await call('ok'), 'fine');
  });
});

test('a tool that closes the line it is watched by is ended, and the next call works', async () => {
  await withTools('watched', { isolation: 'process' }, async ({ call, refusal }) => {
    const error = await refusal('closeLine');
    assert.equal(error.code, 'tool_crashed');
    assert.match(error.message, /closed its line to the daemon/);
    assert.equal(await call('ok'), 'fine');
  });
});

test("a tool's process is on record while it lives, and no longer", async (t) => {
  const daemon = await startTestDaemon(t, {
    plugins: [watched],
    config: {
      plugins: { overrides: { 'fixture.watched': { tools: { ok: { isolation: 'process' } } } } },
      limits: { toolIdleMs: 1000 },
    },
  });
  const client = await daemon.connect();
  await client.call('tool.call', { plugin: 'fixture.watched', tool: 'ok', input: null });
  const folder = join(daemon.folder, 'state', 'cells');
  // The process of the call has ended, or is about to; the spare one for the next call lives.
  let pid = 0;
  while (pid === 0) {
    const records = await Promise.all(
      (await readdir(folder)).map(async (name) => ({
        identity: identityOf(Number.parseInt(name, 10)),
        text: await readFile(join(folder, name), 'utf8').catch(() => ''),
      })),
    );
    const living = records.find(({ identity, text }) => text !== '' && identity.start !== '');
    if (living === undefined) {
      await sleep(10);
      continue;
    }
    pid = living.identity.pid;
    assert.deepEqual(JSON.parse(living.text), {
      cell: living.identity,
      daemon: identityOf(daemon.pid),
      name: 'fixture.watched',
    });
  }
  while ((await readdir(folder)).length > 0) await sleep(10);
  assert.ok(isGone(pid));
});
