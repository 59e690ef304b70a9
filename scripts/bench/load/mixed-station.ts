// The mixed load of the soak: a steady stream of published batches, delivers whose time is taken, tool calls, events
// that fail and looks at the status, all at a pace that leaves the daemon most of its time.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, HostError, connect } from '../../../protocol/client/client.ts';
import { attend } from '../attendant.ts';
import { eventAt, eventsOf } from '../payload.ts';
import { serviceId, toolId, toolName } from '../plugins.ts';

export interface MixedPlan {
  readonly socket: string;
  readonly durationMs: number;
}

export interface MixedReport {
  /** When each deliver began, from the beginning of the load, and how long it took. */
  readonly delivers: readonly (readonly [atMs: number, micros: number])[];
  readonly published: number;
  readonly toolCalls: number;
}

const batchEvents = 32;
const everyMs = { publish: 20, deliver: 10, tool: 50, fail: 500, log: 200, status: 1000 } as const;

const withDeed = (deed: string): ReturnType<typeof eventAt> => {
  const event = eventAt(0);
  return { ...event, payload: { ...event.payload, deed } };
};

/** One after the other, not faster than its pace. */
async function paced(endMs: number, paceMs: number, act: () => Promise<unknown>): Promise<number> {
  let times = 0;
  for (let dueMs = performance.now(); dueMs < endMs; dueMs = Math.max(dueMs + paceMs, performance.now())) {
    await sleep(Math.max(0, dueMs - performance.now()));
    await act();
    times += 1;
  }
  return times;
}

async function failing(client: Client): Promise<void> {
  try {
    await client.call('ingress.deliver', { plugin: serviceId, event: withDeed('fails') });
  } catch (thrown) {
    if (!(thrown instanceof HostError) || thrown.code !== 'dispatch_failed') throw thrown;
    // It was to fail.
  }
}

async function load({ socket, durationMs }: MixedPlan): Promise<MixedReport> {
  const client = await connect({ socket });
  const beganMs = performance.now();
  const endMs = beganMs + durationMs;
  const events = eventsOf(batchEvents).map((event, at) =>
    at % 8 === 0 ? { ...event, payload: { ...event.payload, deed: 'waits' } } : event,
  );
  const delivers: [number, number][] = [];
  const deliver = async (): Promise<void> => {
    const fromMs = performance.now();
    await client.call('ingress.deliver', { plugin: serviceId, event: eventAt(delivers.length) });
    delivers.push([fromMs - beganMs, (performance.now() - fromMs) * 1000]);
  };
  const [batches, toolCalls] = await Promise.all([
    paced(endMs, everyMs.publish, () => client.call('ingress.publish', { plugin: serviceId, events })),
    paced(endMs, everyMs.tool, () => client.call('tool.call', { plugin: toolId, tool: toolName, input: eventAt(0) })),
    paced(endMs, everyMs.deliver, deliver),
    paced(endMs, everyMs.fail, () => failing(client)),
    paced(endMs, everyMs.log, () => client.call('ingress.publish', { plugin: serviceId, event: withDeed('logs') })),
    paced(endMs, everyMs.status, () => client.call('service.status', { plugin: serviceId })),
  ]);
  await client.close();
  return { delivers, published: batches * batchEvents, toolCalls };
}

attend({ load });
