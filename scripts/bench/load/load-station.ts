// The load: a process of its own that speaks to a socket as cheaply as it can.
import { setTimeout as sleep } from 'node:timers/promises';
import { attend } from '../attendant.ts';
import { quantileOf } from '../figures.ts';
import { Stream, type StreamPlan } from './stream.ts';

export interface LoadPlan extends StreamPlan {
  readonly connections: number;
  /** Sent at the end of a flow; its answer tells that everything before it is done. */
  readonly last?: string;
}

export interface Flow {
  readonly requests: number;
  readonly tookMs: number;
  readonly cpuMs: number;
}

export interface Latencies {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly count: number;
}

let streams: Stream[] = [];
let last: string | undefined;

attend({
  async open(plan: LoadPlan): Promise<void> {
    last = plan.last;
    streams = await Promise.all(Array.from({ length: plan.connections }, () => Stream.open(plan)));
  },
  async flow({ durationMs, window }: { durationMs: number; window: number }): Promise<Flow> {
    const cpu = process.cpuUsage();
    const beganMs = performance.now();
    const answered = await Promise.all(
      streams.map((stream) => stream.flow(window, () => performance.now() - beganMs < durationMs)),
    );
    if (last !== undefined) await streams[0]?.ask(last);
    const tookMs = performance.now() - beganMs;
    const { user, system } = process.cpuUsage(cpu);
    return { requests: answered.reduce((sum, count) => sum + count, 0), tookMs, cpuMs: (user + system) / 1000 };
  },
  /** So many, one after the other, with a pause after each answer. */
  async apart({ count, pauseMs }: { count: number; pauseMs: number }): Promise<Latencies> {
    const micros: number[] = [];
    for (let at = 0; at < count; at += 1) {
      micros.push(...((await streams[0]?.oneByOne(() => false)) ?? []));
      await sleep(pauseMs);
    }
    return latenciesOf(micros);
  },
  async oneByOne({ durationMs }: { durationMs: number }): Promise<Latencies> {
    const beganMs = performance.now();
    const micros = (await streams[0]?.oneByOne(() => performance.now() - beganMs < durationMs)) ?? [];
    return latenciesOf(micros);
  },
});

function latenciesOf(micros: readonly number[]): Latencies {
  return {
    p50: quantileOf(micros, 0.5),
    p99: quantileOf(micros, 0.99),
    max: micros.reduce((most, one) => Math.max(most, one), 0),
    count: micros.length,
  };
}
