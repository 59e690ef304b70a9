// How the main thread is doing: a stall shows, an idle thread shows nothing, and the past is forgotten.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { EventLoopMonitor, memory } from '../../daemon/telemetry/event-loop.ts';
import { until } from '../labs/until.ts';

function stall(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test('a stall of the thread is seen, and forgotten after the window', async (context) => {
  const monitor = new EventLoopMonitor(2000);
  context.after(() => monitor.stop());
  assert.deepEqual(monitor.delay(), { p50: 0, p99: 0, max: 0 }, 'before the first sample');
  await new Promise((resolve) => setTimeout(resolve, 100));
  stall(600);
  await until('the stall shows', () => monitor.delay().max >= 400);
  const { p50, p99, max } = monitor.delay();
  assert.ok(p50 <= p99 && p99 <= max);
  await until('the stall is forgotten', () => monitor.delay().max < 400);
});

test('memory is always answered', () => {
  const { rssMb, heapUsedMb, externalMb } = memory();
  assert.ok(rssMb > 10 && heapUsedMb > 1 && externalMb >= 0);
});

const outOfDescriptors = `
  import { openSync } from 'node:fs';
  import { memory } from ${JSON.stringify(new URL('../../daemon/telemetry/event-loop.ts', import.meta.url).href)};
  const before = memory();
  let refused = '';
  while (refused === '') {
    try { openSync('/dev/null', 'r'); } catch (error) { refused = error.code; }
  }
  let plain = 'answered';
  try { process.memoryUsage(); } catch { plain = 'threw'; }
  const after = memory();
  process.stdout.write(JSON.stringify({ refused, plain, before, after }));
`;

test(
  'memory is answered also when descriptors have run out',
  { skip: process.platform !== 'linux' && 'reads the size without a file' },
  async () => {
    const script = `ulimit -n 100; exec "$0" --import tsx --input-type=module --eval "$1"`;
    const { stdout } = await promisify(execFile)('sh', ['-c', script, process.execPath, outOfDescriptors], {
      timeout: 60_000,
    });
    const { refused, plain, before, after } = JSON.parse(stdout) as {
      refused: string;
      plain: string;
      before: ReturnType<typeof memory>;
      after: ReturnType<typeof memory>;
    };
    assert.deepEqual([refused, plain], ['EMFILE', 'threw']);
    assert.equal(after.rssMb, before.rssMb, 'the last known size');
    assert.ok(after.heapUsedMb > 1);
  },
);
