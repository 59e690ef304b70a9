// What it costs that an accepted event is on disk: publishing to a durable service beside the same service in memory
// and beside queues that people use today, one publish at a time, and the recovery of a long queue.
import { eventAt, requestLine } from '../payload.ts';
import { hasProgram, peerModule, peersVariable } from '../peers/broker.ts';
import type { QueueName } from '../peers/queue-station.ts';
import { serviceId, writeService } from '../plugins.ts';
import { recoveryMemory, recoveryOf } from '../recovery.ts';
import { type Column, type Line, type Row, type Target, judged } from '../row.ts';
import { Rounds } from '../rounds.ts';
import { lineLoad, publishLoad, serviceDaemon } from '../servers.ts';
import type { Session } from '../session.ts';
import { flowSubject, loneSubject } from '../socket-subject.ts';
import { Station } from '../station.ts';
import type { Placement, Sample, Subject } from '../subject.ts';

const durableId = 'bench.durable';
const durable = 'Nagaya, a durable service';
const memory = 'Nagaya, the same service in memory';
const loneDurable = 'Nagaya, one durable publish at a time';
const loneMemory = 'Nagaya, one publish in memory at a time';
const append = 'an append with fdatasync';
const queued = 'a start with a long queue';
const empty = 'a start with an empty queue';

const window = 512;
const queuedEvents = 1_000_000;

const columns: readonly Column[] = [
  { figure: 'perSecond', title: 'events/s', unit: 'perSecond' },
  { figure: 'mainMicros', title: "daemon's main thread per event", unit: 'micros' },
  { figure: 'allMicros', title: 'daemon, all threads, per event', unit: 'micros' },
  { figure: 'p50', title: 'one at a time, p50', unit: 'micros' },
  { figure: 'p99', title: 'p99', unit: 'micros' },
  { figure: 'firstMs', title: 'to the first delivery', unit: 'millis' },
  { figure: 'peakMb', title: 'most memory', unit: 'megabytes' },
];

interface Peer {
  readonly queue: QueueName;
  readonly title: string;
  readonly program: string;
  readonly modules: readonly string[];
  readonly atLeast: number;
}

const peers: readonly Peer[] = [
  {
    queue: 'bullmq',
    title: 'BullMQ, redis with appendfsync everysec',
    program: 'redis-server',
    modules: ['bullmq'],
    atLeast: 3,
  },
  {
    queue: 'jetstream',
    title: 'NATS JetStream, acknowledged publish',
    program: 'nats-server',
    modules: ['@nats-io/transport-node', '@nats-io/jetstream'],
    atLeast: 4,
  },
];

/** What of it is missing on this machine. */
const missing = ({ program, modules }: Peer): string[] => [
  ...(hasProgram(program) ? [] : [program]),
  ...modules.filter((name) => peerModule(name) === undefined),
];

async function peerSubject(session: Session, { queue, title }: Peer, placement: Placement): Promise<Subject> {
  const station = await session.holding(Station.start('peers/queue-station', placement));
  await station.ask('open', { queue });
  return { name: title, measure: (durationMs) => station.ask<Sample>('flow', { durationMs, window }) };
}

async function flowSubjects(session: Session, placement: Placement, there: readonly Peer[]): Promise<Subject[]> {
  const daemon = await serviceDaemon(session, placement);
  await daemon.load(await writeService(daemon.folder, { id: durableId, durability: 'disk' }), { start: true });
  const line = (plugin: string): string => requestLine('ingress.publish', { plugin, event: eventAt(0) });
  const last = requestLine('ingress.deliver', { plugin: durableId, event: eventAt(0) });
  const one = { window, perRequest: 1 };
  return await Promise.all([
    flowSubject(
      session,
      { name: durable, placement, load: lineLoad(daemon.socket, [line(durableId)], last), server: daemon },
      one,
    ),
    flowSubject(
      session,
      { name: memory, placement, load: publishLoad(daemon.socket, [line(serviceId)]), server: daemon },
      one,
    ),
    ...there.map((peer) => peerSubject(session, peer, placement)),
  ]);
}

async function loneSubjects(session: Session, placement: Placement): Promise<Subject[]> {
  const daemon = await serviceDaemon(session, placement);
  await daemon.load(await writeService(daemon.folder, { id: durableId, durability: 'disk' }), { start: true });
  const load = (plugin: string): ReturnType<typeof lineLoad> =>
    lineLoad(daemon.socket, [requestLine('ingress.publish', { plugin, event: eventAt(0) })]);
  const appends = await session.holding(Station.start('peers/append-station', placement));
  return [
    await loneSubject(session, { name: loneDurable, placement, load: load(durableId), server: daemon }),
    await loneSubject(session, { name: loneMemory, placement, load: load(serviceId), server: daemon }),
    { name: append, measure: (durationMs) => appends.ask<Sample>('oneByOne', { durationMs }) },
  ];
}

/** Once: filling the queue is most of it. */
async function recovery(session: Session): Promise<{ readonly lines: readonly Line[]; readonly targets: Target[] }> {
  const events = session.many(queuedEvents, 2000);
  session.progress(`durable: recovery of ${String(events)} events`);
  const subjects: Subject[] = [
    { name: queued, measure: () => recoveryOf(events) },
    { name: empty, measure: () => recoveryOf(0) },
  ];
  const of = await Rounds.once('free', subjects);
  const allowedMb = recoveryMemory.maxBytes / 1024 / 1024 + recoveryMemory.moreMb;
  return {
    lines: of.lines,
    targets: [
      {
        what: `recovery of ${String(events)} events to the first delivery`,
        placement: 'free',
        figure: of.figure(queued, 'firstMs'),
        unit: 'millis',
        atMost: 5000,
      },
      {
        what: 'most memory of that over an empty start',
        placement: 'free',
        figure: of.difference([queued, 'peakMb'], [empty, 'peakMb']),
        unit: 'megabytes',
        atMost: allowedMb,
      },
    ],
  };
}

function flowTargets(of: Rounds, there: readonly Peer[]): Target[] {
  const { placement } = of;
  return [
    {
      what: 'durable publish over publish in memory',
      placement,
      figure: of.ratio([durable, 'perSecond'], [memory, 'perSecond']),
      atLeast: 0.5,
    },
    {
      what: 'durable publish over publish in memory, by CPU time of the main thread',
      placement,
      figure: of.ratio([memory, 'mainMicros'], [durable, 'mainMicros']),
      atLeast: 0.5,
    },
    ...there.map(({ title, atLeast }) => ({
      what: `durable publish over ${title}`,
      placement,
      figure: of.ratio([durable, 'perSecond'], [title, 'perSecond']),
      atLeast,
    })),
  ];
}

const loneTarget = (of: Rounds): Target => ({
  what: `p50 of one durable publish over ${append} plus one in memory`,
  placement: of.placement,
  figure: of.ratio([loneDurable, 'p50'], [append, 'p50'], [loneMemory, 'p50']),
  atMost: 2,
});

export const durableRow: Row = {
  name: 'durable',
  title: 'ingress.publish to a durable service, over the same service in memory and over other stored queues',
  async run(session) {
    const there = session.smoke ? [] : peers.filter((peer) => missing(peer).length === 0);
    const lines: Line[] = [];
    const targets: Target[] = [];
    for (const placement of session.placements) {
      const plan = { row: 'durable', placement, warmUpMs: 1000, roundMs: 300 };
      const flow = await Rounds.of(session, plan, await flowSubjects(session, placement, there));
      await session.clear();
      const lone = await Rounds.of(session, plan, await loneSubjects(session, placement));
      await session.clear();
      lines.push(...flow.lines, ...lone.lines);
      targets.push(...flowTargets(flow, there), loneTarget(lone));
    }
    const back = await recovery(session);
    const absent = peers.filter((peer) => !there.includes(peer));
    return {
      name: durableRow.name,
      title: durableRow.title,
      columns,
      lines: [...lines, ...back.lines],
      verdicts: [...targets, ...back.targets].map(judged),
      notes: [
        `One connection, ${String(window)} requests unanswered; the clock stops when the last event was handled. The peers only store, and are asked by ${String(window)} publishes at once from one client.`,
        ...absent.map(
          (peer) =>
            `${peer.title} was not measured: ${missing(peer).join(', ') || 'a run for a moment leaves it out'} (its packages are looked for in the folder that ${peersVariable} names).`,
        ),
      ],
    };
  },
};
