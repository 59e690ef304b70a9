// A server on a socket with its own load in front of it, as one thing that is measured: a flow of many requests, or one
// request at a time.
import type { Flow, Latencies, LoadPlan } from './load/load-station.ts';
import type { Cpu } from './processor.ts';
import type { Session } from './session.ts';
import { Station } from './station.ts';
import type { Placement, Sample, Subject } from './subject.ts';

export interface SocketSubjectOptions {
  readonly name: string;
  readonly placement: Placement;
  readonly load: LoadPlan;
  readonly server: { readonly cpu: Cpu };
}

async function loadOf(session: Session, { placement, load }: SocketSubjectOptions): Promise<Station> {
  const station = await session.holding(Station.start('load/load-station', placement));
  await station.ask('open', load);
  return station;
}

/** `window`: unanswered requests of each connection. */
export async function flowSubject(
  session: Session,
  options: SocketSubjectOptions,
  flow: { readonly window: number; readonly perRequest: number },
): Promise<Subject> {
  const station = await loadOf(session, options);
  return {
    name: options.name,
    async measure(durationMs): Promise<Sample> {
      const before = options.server.cpu;
      const { requests, tookMs, cpuMs } = await station.ask<Flow>('flow', { durationMs, window: flow.window });
      const after = options.server.cpu;
      const things = requests * flow.perRequest;
      return {
        perSecond: (things / tookMs) * 1000,
        mainMicros: ((after.mainMs - before.mainMs) * 1000) / things,
        allMicros: ((after.allMs - before.allMs) * 1000) / things,
        loadMicros: (cpuMs * 1000) / things,
      };
    },
  };
}

export async function loneSubject(session: Session, options: SocketSubjectOptions): Promise<Subject> {
  const station = await loadOf(session, options);
  return {
    name: options.name,
    async measure(durationMs): Promise<Sample> {
      const { p50, p99 } = await station.ask<Latencies>('oneByOne', { durationMs });
      return { p50, p99 };
    },
  };
}

/** The first requests of a server that has just started, some milliseconds apart: its code is not compiled yet. */
export function firstSubject(
  session: Session,
  name: string,
  begin: (inner: Session) => Promise<SocketSubjectOptions>,
): Subject {
  return {
    name,
    measure: () =>
      session.inside(async (inner) => {
        const station = await loadOf(inner, await begin(inner));
        const { p50, p99 } = await station.ask<Latencies>('apart', { count: inner.many(100, 5), pauseMs: 5 });
        return { firstP50: p50, firstP99: p99 };
      }),
  };
}

/** A way of dispatching in its own host process, asked for its rate or for one at a time. */
export async function waySubject(
  session: Session,
  name: string,
  way: string,
  placement: Placement,
  duty: 'rate' | 'lone',
): Promise<Subject> {
  const station = await session.holding(Station.start('peers/way-station', placement, [way]));
  return { name, measure: (durationMs) => station.ask<Sample>(duty, { durationMs }) };
}
