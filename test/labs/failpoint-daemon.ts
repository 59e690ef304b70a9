// A real daemon with the lab plugin whose surroundings fail on order: what the tests of failpoints share.
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import assert from 'node:assert/strict';
import type { Client } from '../../protocol/client/client.ts';
import { failpointsVariable, testVariable } from '../../daemon/files/failpoints.ts';
import { type TestDaemon, startTestDaemon } from './test-daemon.ts';
import { until } from './until.ts';

export const lab = 'test.lab';
const labFolder = fileURLToPath(new URL('../fixtures/services/lab', import.meta.url));

export interface FailingDaemon {
  readonly daemon: TestDaemon;
  readonly client: Client;
}

export async function failingDaemon(t: TestContext, failpoints: string, override: object = {}): Promise<FailingDaemon> {
  const given = {
    restart: { policy: 'on-failure', intensity: 100, periodMs: 1000, backoffMs: [10, 40] },
    retry: { maxAttempts: 1 },
    ...override,
  };
  const daemon = await startTestDaemon(t, {
    plugins: [labFolder],
    config: { plugins: { overrides: { [lab]: given } } },
    env: { [failpointsVariable]: failpoints, [testVariable]: 'yes' },
  });
  assert.match(daemon.log(), /FAILPOINTS ARE ARMED/);
  return { daemon, client: await daemon.connect() };
}

export const event = (
  payload: object,
  correlationId?: string,
): { ingress: string; kind: string; payload: object; correlationId?: string } => ({
  ingress: 'work',
  kind: 'do',
  payload,
  ...(correlationId === undefined ? {} : { correlationId }),
});

export async function loseEvent(client: Client, correlationId: string): Promise<void> {
  const before = (await client.call('deadLetter.list', { plugin: lab })).total;
  await client.call('ingress.publish', { plugin: lab, event: event({ do: 'exit', code: 1 }, correlationId) });
  await until(
    'the event is a dead letter',
    async () => (await client.call('deadLetter.list', { plugin: lab })).total === before + 1,
    60_000,
  );
}

/** The daemon answers, its service runs, and every event has its one outcome. */
export async function goesOn({ client }: FailingDaemon): Promise<void> {
  await until(
    'the service runs',
    async () => (await client.call('service.status', { plugin: lab })).lifecycle === 'running',
    60_000,
  );
  assert.equal(
    (await client.call('ingress.deliver', { plugin: lab, event: event({ do: 'echo', value: 41 }) })).output,
    41,
  );
  const { counters, queue, inFlight } = await client.call('service.status', { plugin: lab });
  const { enqueued, handled, failed, deadLettered, discarded } = counters;
  assert.equal(enqueued, handled + failed + deadLettered + discarded + queue.depth + (inFlight === null ? 0 : 1));
}

export async function endsWell({ daemon }: FailingDaemon): Promise<void> {
  daemon.signal('SIGTERM');
  assert.deepEqual(await daemon.ended, { code: 0, signal: null });
}
