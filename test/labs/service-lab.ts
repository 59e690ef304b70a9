// A real service in a real thread, without a daemon around it: what the tests of isolation stand on.
import assert from 'node:assert/strict';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { LogMessage } from '../../protocol/cell/messages.ts';
import { HostError } from '../../protocol/errors.ts';
import { EncodedJson } from '../../protocol/json-rpc.ts';
import type { FeedEvent, TimelineEntry } from '../../protocol/operations/telemetry.ts';
import type { ServiceStatus } from '../../protocol/status.ts';
import { cellEnvironment } from '../../daemon/cells/environment.ts';
import { spawnCellFor } from '../../daemon/cells/spawn.ts';
import { limits as limitsSchema } from '../../daemon/config/schema.ts';
import { readPlugin } from '../../daemon/plugins/manifest-file.ts';
import { DeadLetters } from '../../daemon/services/dead-letters.ts';
import { realClock } from '../../daemon/time/real-clock.ts';
import { KeptState } from '../../daemon/dispatch/kept-state.ts';
import { Service } from '../../daemon/services/service.ts';
import { WakeTurns } from '../../daemon/dispatch/wake-turns.ts';
import type { ServicePlan } from '../../daemon/dispatch/service-plan.ts';
import { pluginOverride } from '../../daemon/config/schema.ts';
import { untilAnswer } from './until.ts';

export const limits = limitsSchema.parse({});

export interface Lab {
  readonly service: Service;
  readonly deadLetters: DeadLetters;
  readonly logs: LogMessage[];
  readonly feed: FeedEvent[];
  readonly timeline: Omit<TimelineEntry, 'sequence' | 'at'>[];
  deliver(payload: unknown, timeoutMs?: number): Promise<unknown>;
  publish(payload: unknown): void;
  /** The same service with another override, as after a change of its files. */
  plan(override: Record<string, unknown>): Promise<ServicePlan>;
}

const folder = fileURLToPath(new URL('../fixtures/services/lab', import.meta.url));

async function labPlan(override: Record<string, unknown>, env: Record<string, string>): Promise<ServicePlan> {
  const plugin = readPlugin(folder, {
    overrides: { 'test.lab': pluginOverride.parse(override) },
    manifestBytes: limits.manifestBytes,
  });
  const section = plugin.manifest.service;
  if (section === undefined) throw new Error('the lab has a service');
  return {
    plugin,
    section,
    env: cellEnvironment(plugin.manifest.env, env),
    entryUrl: pathToFileURL(plugin.entry).href,
  };
}

export async function lab(
  override: Record<string, unknown> = {},
  env: Record<string, string> = {},
  wakes = new WakeTurns(realClock, 8),
): Promise<Lab> {
  const logs: LogMessage[] = [];
  const feed: FeedEvent[] = [];
  const timeline: Omit<TimelineEntry, 'sequence' | 'at'>[] = [];
  const counts = { lines: 0, bytes: 0, droppedLines: 0, droppedBytes: 0 };
  const deadLetters = new DeadLetters(limits);
  const service = new Service(await labPlan(override, env), {
    clock: realClock,
    random: Math.random,
    deadLetters,
    state: new KeptState(),
    spawnCell: spawnCellFor(limits),
    wakes,
    limits,
    redact: (text) => text,
    outlets: { timeline: (entry) => void timeline.push(entry), feed: (event) => void feed.push(event), log: () => {} },
    cellLog: {
      log: (message) => {
        logs.push(message);
        counts.lines += 1;
      },
      logDropped: ({ lines, bytes }) => {
        counts.droppedLines += lines;
        counts.droppedBytes += bytes;
      },
      counts: () => counts,
    },
  });
  const event = (payload: unknown): unknown => ({ ingress: 'work', kind: 'do', payload });
  return {
    service,
    deadLetters,
    logs,
    feed,
    timeline,
    deliver: async (payload, timeoutMs = 10_000) =>
      JSON.parse(new EncodedJson('', (await service.deliver(event(payload), timeoutMs)).json).text) as unknown,
    plan: (other) => labPlan(other, env),
    publish: (payload) => void service.publish(event(payload)),
  };
}

/** For `assert.rejects` and `assert.throws`: an error of the registry with this code. */
export const refusal =
  (code: string, check: (error: HostError) => void = () => {}) =>
  (error: unknown): true => {
    assert.ok(error instanceof HostError, String(error));
    assert.equal(error.code, code, error.message);
    check(error);
    return true;
  };

/** Every accepted event is settled, queued or in flight, and what is in flight counts as an attempt. */
export function balanced({ service }: Lab): void {
  const { counters, queue, inFlight } = service.status();
  assert.equal(
    counters.enqueued,
    counters.handled +
      counters.failed +
      counters.deadLettered +
      counters.discarded +
      queue.depth +
      (inFlight === null ? 0 : 1),
  );
  assert.ok(
    counters.dispatched >= counters.handled + (inFlight === null ? 0 : 1),
    'what is in flight is counted as dispatched',
  );
}

/** The books are right at each look. */
export const untilStatus = (
  { service }: Lab,
  what: string,
  holds: (status: ServiceStatus) => boolean,
): Promise<ServiceStatus> =>
  untilAnswer(
    what,
    () => {
      assert.equal(service.unaccounted, 0);
      return service.status();
    },
    holds,
  );
