// What the daemon touches of tinypool beyond its documentation is where it was when tinypool-cell.ts was written. After
// an upgrade this tells what has moved, instead of a process that nobody ends.
import assert from 'node:assert/strict';
import { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { after, test } from 'node:test';
import { MessageChannel, Worker } from 'node:worker_threads';
import { Tinypool } from 'tinypool';
import { TinypoolCell, stdinLine, tinypoolVersion } from '../../daemon/tools/pools/tinypool-cell.ts';
import type { ToolCellOptions } from '../../protocol/cell/tool-messages.ts';
import { ToolRegister } from '../../protocol/cell/tool-register.ts';

const require = createRequire(import.meta.url);
const options: ToolCellOptions = {
  plugin: { id: 'a', name: 'A', version: '1.0.0' },
  entryUrl: 'data:text/javascript,',
  configJson: '{}',
  tools: [],
  logBytesPerSecond: 1000,
  maxOutputBytes: 1000,
  heapMb: 64,
  grants: { worker: false, addons: false },
};
/** A cell that waits for a call keeps nothing alive. */
const alive = setInterval(() => undefined, 1000);
after(() => clearInterval(alive));

const ignored = (): void => {
  // Tinypool rejects what is open when its cell is destroyed.
};

test('the installed tinypool is the one that tinypool-cell.ts was written for', () => {
  const { version } = require('tinypool/package.json') as { version: string };
  assert.equal(
    version,
    tinypoolVersion,
    'look through daemon/tools/pools/tinypool-cell.ts, run the tests of the tools, then change tinypoolVersion',
  );
});

test('behind a worker of child processes there is the process at once, and its stdin carries both ways', async () => {
  const cell = new TinypoolCell(
    Tinypool,
    { runtime: 'child_process', serialization: 'advanced', argv: [], execArgv: [], env: {} },
    {
      preparation: { prepare: 'process', options },
      channel: { onMessage: ignored, postMessage: ignored },
      failed: ignored,
    },
  );
  const child = cell.worker.process;
  assert.ok(child instanceof ChildProcess);
  assert.equal(cell.worker.threadId, child.pid);
  const line = stdinLine(child);
  assert.ok(line !== undefined, 'the handle of stdin can be moved');
  const [said] = (await once(line, 'data')) as [Buffer];
  assert.ok(said.length > 0, 'the watchdog of the process speaks on it');
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  cell.destroy();
  await ended;
  line.destroy();
});

test('behind a worker of threads there is the thread at once, and the pool starts no other in its place', async () => {
  const { port1, port2 } = new MessageChannel();
  const preparation = { prepare: 'thread', port: port2, register: new ToolRegister().buffer } as const;
  const failures: unknown[] = [];
  const cell = new TinypoolCell(
    Tinypool,
    { runtime: 'worker_threads', useAtomics: false, argv: [], execArgv: [], env: {}, workerData: options },
    { preparation, transferList: [port2], failed: (thrown) => failures.push(thrown) },
  );
  const { thread } = cell.worker;
  assert.ok(thread instanceof Worker);
  assert.equal(cell.worker.threadId, thread.threadId);
  const ended = once(thread, 'exit');
  cell.destroy();
  await ended;
  failures.length = 0;
  cell.take({ call: 1, tool: 'none', inputJson: 'null' });
  assert.match(String(failures), /the cell has ended/);
  port1.close();
});
