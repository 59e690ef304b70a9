// The live view's rates are what happened between two looks, whatever the time between them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveServices } from '../../daemon/cli/views/live-services.ts';
import { pieceText } from '../../daemon/cli/views/terminal.ts';
import type { DaemonStatus } from '../../protocol/operations/daemon.ts';
import type { ServiceStatus } from '../../protocol/status.ts';

// Only what the view shows; the rest of a status is as large as the daemon.
const daemon = {
  version: '1.0.0',
  uptimeMs: 5000,
  memory: { rssMb: 50 },
  counts: { toolCallsPending: 0, unkillable: 0 },
  eventLoopDelayMs: { p99: 1 },
} as unknown as DaemonStatus;

function service(pluginId: string, enqueued: number, handled: number, failed = 0): ServiceStatus {
  const counters = {
    enqueued,
    handled,
    failed,
    deadLettered: 0,
    discarded: 0,
    rejected: { queueFull: 0, invalidEvent: 0, notAccepting: 0 },
  };
  return {
    pluginId,
    lifecycle: 'running',
    incarnation: 1,
    queue: { depth: enqueued - handled - failed, capacity: 256 },
    counters,
    deadLetters: { count: 0 },
    restart: null,
    cell: { utilization: 0.5 },
    lastError: null,
  } as unknown as ServiceStatus;
}

const rows = (frame: ReturnType<LiveServices['frame']>): string[] =>
  frame.map((line) => line.map(pieceText).join('').trimEnd());

test('the first look shows no rates, the next one those since', () => {
  const live = new LiveServices(undefined);
  const first = rows(live.frame([service('a', 100, 100)], daemon, 1000));
  assert.match(first[3] ?? '', /^a +running +1 +0\/256 +- +- +0 +0 +50% +-$/);
  const second = rows(live.frame([service('a', 150, 120, 10)], daemon, 3000));
  assert.match(second[3] ?? '', /^a +running +1 +20\/256 +25\/s +15\/s +10 /);
});

test('a service that was loaded again, or is new, shows no rate of what came before', () => {
  const live = new LiveServices(undefined);
  live.frame([service('a', 100, 100)], daemon, 1000);
  const again = rows(live.frame([service('a', 3, 3), service('b', 5, 5)], daemon, 2000));
  assert.match(again[3] ?? '', / - +- /);
  assert.match(again[4] ?? '', / - +- /);
});

test('only the plugin that was named is shown, with the newest events in words and what was missed', () => {
  const live = new LiveServices('b');
  for (let number = 0; number < 8; number += 1)
    live.note(
      {
        topic: 'failure',
        at: '2026-01-01T00:00:00.000Z',
        plugin: 'b',
        data: { code: 'cell_crashed', message: `number ${String(number)}` },
      },
      3,
    );
  live.note({ topic: 'counters', at: '2026-01-01T00:00:00.000Z', plugin: 'b', data: {} }, 3);
  live.note(
    {
      topic: 'lifecycle',
      at: '2026-01-01T00:00:00.000Z',
      plugin: 'b',
      data: { from: 'running', to: 'failed', cause: 'crashed' },
    },
    3,
  );
  const frame = rows(live.frame([service('a', 1, 1), service('b', 1, 1)], daemon, 1000)).join('\n');
  assert.doesNotMatch(frame, /^a /m);
  assert.match(frame, /3 events missed/);
  assert.doesNotMatch(frame, /number 3/);
  assert.match(frame, /failure cell_crashed: number 7\n.*lifecycle running → failed \(crashed\)$/);
});
