// How the main thread is doing: a stall shows, an idle thread shows nothing, and the past is forgotten.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventLoopMonitor, memory } from '../daemon/telemetry/event-loop.ts';
import { until } from './log-lab.ts';

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
