// What a cell takes to start is not the call's: it has a bound of its own, and an error of its own.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, open, openSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { isolations, withTools } from '../labs/tool-lab.ts';
import { until } from '../labs/until.ts';

/** Makes a child process take so long to start. */
const slowStart = (ms: number): string => {
  const program = `import { isMainThread } from 'node:worker_threads'; if (isMainThread) await new Promise((resolve) => setTimeout(resolve, ${String(ms)}));`;
  return `--import=data:text/javascript,${encodeURIComponent(program)}`;
};

for (const isolation of isolations) {
  test(`a ${isolation} cell that does not start within its bound is told as that`, async () => {
    await withTools('plain', { isolation, limits: { toolStartMs: 1 } }, async ({ refusal, tools, failures }) => {
      const error = await refusal('echo', 1);
      assert.equal(error.code, 'tool_timeout');
      assert.equal(
        error.message,
        `The ${isolation === 'process' ? 'process' : 'thread'} of tool "echo" did not start within 1 ms.`,
      );
      assert.deepEqual(
        [error.details['phase'], error.details['startMs'], error.details['limit']],
        ['starting', 1, 'limits.toolStartMs'],
      );
      assert.equal(failures.length, 1);
      assert.equal(tools.pending, 0);
    });
  });
}

test('a process that is slow to start does not use up the time of its call', async () => {
  await withTools(
    'plain',
    { isolation: 'process', env: { NODE_OPTIONS: slowStart(2500) } },
    async ({ call, refusal }) => {
      const beganMs = performance.now();
      assert.equal(await call('echo', 'there', { timeoutMs: 2000 }), 'there');
      assert.ok(performance.now() - beganMs >= 2400, 'it was slow to start');
      const error = await refusal('sleep', { ms: 60_000 }, { timeoutMs: 500 });
      assert.equal(error.details['phase'], 'running', 'and its own time counts as ever');
      assert.ok((error.details['waitedMs'] as number) > 500, 'from when it has begun');
    },
  );
});

test(
  "a thread starts and answers while reads block Node's pool",
  { skip: process.platform === 'linux' ? false : 'named pipes' },
  async (context) => {
    const fifo = join(await temporaryFolder(context), 'fifo');
    execFileSync('mkfifo', [fifo]);
    await withTools('plain', { isolation: 'fresh', limits: { toolStartMs: 60_000 } }, async ({ call }) => {
      let opened = 0;
      const blocked = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
      for (let reader = 0; reader < blocked; reader += 1) {
        open(fifo, 'r', (_error, fd) => {
          opened += 1;
          closeSync(fd);
        });
      }
      const beganMs = performance.now();
      const answer = call('echo', 'there', { timeoutMs: 1500 });
      setTimeout(() => {
        const writer = openSync(fifo, 'w');
        void until('all readers are through', () => opened === blocked).then(() => closeSync(writer));
      }, 3000);
      assert.equal(await answer, 'there');
      assert.ok(performance.now() - beganMs < 2900, 'it was answered while the reads still blocked the pool');
      await until('all readers are through', () => opened === blocked);
    });
  },
);

/** To compile it, each of its references is written out in full. */
const hugeWhenCompiled = {
  allOf: Array.from({ length: 2000 }, () => ({ $ref: '#/$defs/leaf' })),
  $defs: {
    leaf: {
      properties: Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`p${String(at)}`, { type: 'string' }])),
    },
  },
};

test('schemas that do not compile within the bound are named, and cost the other tools of the plugin nothing', async () => {
  const setting = {
    limits: { toolThreads: 1, toolStartMs: 4000 },
    heapMb: 1024,
    inputSchemas: { anything: hugeWhenCompiled },
  } as const;
  await withTools('schemas', setting, async ({ call, refusal }) => {
    assert.equal(await call('slowPattern', 'aaa'), 3);
    const error = await refusal('anything', {});
    assert.equal(error.code, 'tool_timeout');
    assert.equal(
      error.message,
      'The inputSchema and outputSchema of tool "anything" were not compiled within 4000 ms.',
    );
    assert.equal(error.details['phase'], 'compiling');
    assert.equal(await call('slowPattern', 'aaa'), 3);
  });
});
