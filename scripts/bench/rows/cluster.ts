// Services on several members: how many events a second one, two and three members handle of one shared service, beside
// BullMQ with as many worker processes, and what it costs that a service lives in the cluster.
import { BenchDaemon } from '../bench-daemon.ts';
import type { Flow, LoadPlan } from '../load/load-station.ts';
import { eventAt, requestLine } from '../payload.ts';
import { Broker, freePort, hasProgram, peerModule, peersVariable } from '../peers/broker.ts';
import { writeService } from '../plugins.ts';
import { type Cpu, cpuOf } from '../processor.ts';
import { type Column, type Line, type Row, type Target, judged } from '../row.ts';
import { Rounds } from '../rounds.ts';
import { lineLoad } from '../servers.ts';
import type { Session } from '../session.ts';
import { Station } from '../station.ts';
import type { Placement, Sample, Subject } from '../subject.ts';

const sharedId = 'bench.shared';
const oneId = 'bench.one';
const durableId = 'bench.durable';
const clustered = 'Nagaya, a service with the placement one';
const durable = 'Nagaya, a durable service without a cluster';
const words = ['', 'one member', 'two members', 'three members'] as const;
const sharedBy = (count: number): string => `Nagaya, a service shared by ${words[count] ?? ''}`;
const peerOf = (count: number): string => `BullMQ, worker processes: ${String(count)}`;

const counts = [1, 2, 3] as const;
const keys = 64;
/** Requests without an answer, of all connections together. */
const window = 512;
const atLeast = 1.5;
const lookMs = 2;
const partitions = 8;
/** Nothing is to move while it is measured; in a run for a moment, members are to come together soon. */
const leaseMs = (session: Session): number => (session.smoke ? 4000 : 30_000);

const columns: readonly Column[] = [
  { figure: 'perSecond', title: 'events/s', unit: 'perSecond' },
  { figure: 'allMicros', title: 'members or workers, all threads, per event', unit: 'micros' },
  { figure: 'serverMicros', title: 'the server (NATS or redis), per event', unit: 'micros' },
  { figure: 'loadMicros', title: 'publishers, per event', unit: 'micros' },
  { figure: 'serverPercent', title: "the server's share of all processor time", unit: 'percent' },
];

const missingServer = (): string[] => (hasProgram('nats-server') ? [] : ['nats-server']);
const missingPeer = (): string[] => [
  ...(hasProgram('redis-server') ? [] : ['redis-server']),
  ...(peerModule('bullmq') === undefined ? ['bullmq'] : []),
];

/** Whatever handles events, and what it stores them in. */
interface Works {
  readonly name: string;
  /** Of all publishers together. */
  publish(durationMs: number): Promise<{ readonly requests: number; readonly cpuMs: number }>;
  handled(): Promise<number>;
  workersMs(): number;
  serverMs(): number | Promise<number>;
}

/** The clock stops when the last event was handled. */
const subjectOf = (works: Works): Subject => ({
  name: works.name,
  async measure(durationMs): Promise<Sample> {
    const before = await works.handled();
    const workersMs = works.workersMs();
    const serverMs = await works.serverMs();
    const beganMs = performance.now();
    const { requests, cpuMs } = await works.publish(durationMs);
    while ((await works.handled()) - before < requests) await new Promise((resolve) => setTimeout(resolve, lookMs));
    const tookMs = performance.now() - beganMs;
    const [workers, server] = [works.workersMs() - workersMs, (await works.serverMs()) - serverMs];
    return {
      perSecond: (requests / tookMs) * 1000,
      allMicros: (workers * 1000) / requests,
      serverMicros: (server * 1000) / requests,
      loadMicros: (cpuMs * 1000) / requests,
      serverPercent: (server / (workers + server + cpuMs)) * 100,
    };
  },
});

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
const allMs = (things: readonly { readonly cpu: Cpu }[]): number => sum(things.map(({ cpu }) => cpu.allMs));

async function natsServer(session: Session): Promise<{ readonly url: string; readonly cpu: () => Cpu }> {
  const port = await freePort();
  const args = ['-a', '127.0.0.1', '-p', String(port), '-js'];
  const broker = await session.holding(
    Promise.resolve(new Broker('nats-server', (folder) => [...args, '-sd', folder])),
  );
  return { url: `nats://127.0.0.1:${String(port)}`, cpu: () => cpuOf(broker.pid) };
}

const member = (session: Session, placement: Placement, url: string, at: number): Promise<BenchDaemon> =>
  session.holding(
    BenchDaemon.start({
      placement,
      limits: { leaseMs: leaseMs(session) },
      config: { cluster: { name: 'bench', member: `m${String(at)}`, nats: { servers: [url] } } },
    }),
  );

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const byMs = performance.now() + 120_000; !(await isSo());) {
    if (performance.now() > byMs) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Each has its share of the partitions, and its instance runs. */
const isSpread = async (members: readonly BenchDaemon[]): Promise<boolean> => {
  const all = await Promise.all(members.map(({ client }) => client.call('service.status', { plugin: sharedId })));
  return all.every(({ lifecycle, placement }) => {
    const holders = placement?.partitions?.map(({ member: name }) => name) ?? [];
    const held = members.map((_, at) => holders.filter((name) => name === `m${String(at)}`).length);
    return lifecycle === 'running' && placement?.waits === null && isEven(held);
  });
};

const isEven = (held: readonly number[]): boolean =>
  sum(held) === partitions && Math.max(...held) - Math.min(...held) <= 1;

async function publishers(
  session: Session,
  placement: Placement,
  plans: readonly LoadPlan[],
): Promise<Works['publish']> {
  const stations: Station[] = [];
  for (const plan of plans) {
    const station = await session.holding(Station.start('load/load-station', placement));
    await station.ask('open', plan);
    stations.push(station);
  }
  return async (durationMs) => {
    const own = Math.ceil(window / stations.length);
    const flows = await Promise.all(stations.map((station) => station.ask<Flow>('flow', { durationMs, window: own })));
    return { requests: sum(flows.map(({ requests }) => requests)), cpuMs: sum(flows.map(({ cpuMs }) => cpuMs)) };
  };
}

const publishing = (plugin: string, more: object = {}): string =>
  requestLine('ingress.publish', { plugin, event: { ...eventAt(0), ...more } });

const handledBy = async (daemons: readonly BenchDaemon[], plugin: string): Promise<number> => {
  const all = await Promise.all(daemons.map(({ client }) => client.call('service.status', { plugin })));
  return sum(all.map(({ counters }) => counters.handled));
};

/** What is published comes to each member in equal parts, with keys that fall on all partitions. */
async function sharedWorks(session: Session, placement: Placement, count: number): Promise<Works> {
  const server = await natsServer(session);
  const members: BenchDaemon[] = [];
  for (let at = 0; at < count; at += 1) {
    const one = await member(session, placement, server.url, at);
    await one.load(await writeService(one.folder, { id: sharedId, placement: 'shared' }), { start: true });
    members.push(one);
  }
  await until(`partitions of ${words[count] ?? ''}`, () => isSpread(members));
  const lines = Array.from({ length: keys }, (_, at) => publishing(sharedId, { key: `key-${String(at)}` }));
  return {
    name: sharedBy(count),
    publish: await publishers(
      session,
      placement,
      members.map(({ socket }) => lineLoad(socket, lines)),
    ),
    handled: () => handledBy(members, sharedId),
    workersMs: () => allMs(members),
    serverMs: () => server.cpu().allMs,
  };
}

async function peerWorks(session: Session, placement: Placement, count: number): Promise<Works> {
  const producer = await session.holding(Station.start('peers/job-producer', placement));
  const path = await producer.ask<string>('open');
  const workers: Station[] = [];
  for (let at = 0; at < count; at += 1) {
    const worker = await session.holding(Station.start('peers/job-worker', placement));
    await worker.ask('open', { path, queue: 'bench' });
    workers.push(worker);
  }
  const handled = async (): Promise<number> =>
    sum(await Promise.all(workers.map((worker) => worker.ask<number>('handled'))));
  // The one that showed that redis is there.
  await until('the first job', async () => (await handled()) === 1);
  return {
    name: peerOf(count),
    publish: (durationMs) => producer.ask<Flow>('flow', { durationMs, window }),
    handled,
    workersMs: () => allMs(workers),
    serverMs: async () => (await producer.ask<Cpu>('serverCpu')).allMs,
  };
}

/** The same service, stored by the daemon itself and by the cluster. */
async function priceWorks(session: Session, placement: Placement): Promise<Works[]> {
  const server = await natsServer(session);
  const inCluster = await member(session, placement, server.url, 0);
  await inCluster.load(await writeService(inCluster.folder, { id: oneId, placement: 'one' }), { start: true });
  const alone = await session.holding(BenchDaemon.start({ placement }));
  await alone.load(await writeService(alone.folder, { id: durableId, durability: 'disk' }), { start: true });
  const works = async (name: string, daemon: BenchDaemon, plugin: string, serverMs: () => number): Promise<Works> => ({
    name,
    publish: await publishers(session, placement, [lineLoad(daemon.socket, [publishing(plugin)])]),
    handled: () => handledBy([daemon], plugin),
    workersMs: () => allMs([daemon]),
    serverMs,
  });
  return [
    await works(clustered, inCluster, oneId, () => server.cpu().allMs),
    await works(durable, alone, durableId, () => 0),
  ];
}

export const clusterRow: Row = {
  name: 'cluster',
  title: 'events handled by one, two and three members of a cluster, over BullMQ with as many workers',
  async run(session) {
    const noServer = missingServer();
    const withPeer = !session.smoke && missingPeer().length === 0;
    const lines: Line[] = [];
    const targets: Target[] = [];
    const placement = 'free';
    const plan = { row: 'cluster', placement, warmUpMs: 1500, roundMs: 500 } as const;
    const ratio = (of: Rounds, what: string, above: string, below: string, least?: number): Target => ({
      what,
      placement,
      figure: of.ratio([above, 'perSecond'], [below, 'perSecond']),
      ...(least === undefined ? {} : { atLeast: least }),
    });
    for (const count of noServer.length > 0 ? [] : counts.slice(0, session.many(counts.length, 1))) {
      const works = [await sharedWorks(session, placement, count)];
      if (withPeer) works.push(await peerWorks(session, placement, count));
      const of = await Rounds.of(session, plan, works.map(subjectOf));
      await session.clear();
      lines.push(...of.lines);
      const what = `a service shared by ${words[count]} over BullMQ with as many workers`;
      if (withPeer) targets.push(ratio(of, what, sharedBy(count), peerOf(count), atLeast));
    }
    if (noServer.length === 0) {
      const of = await Rounds.of(session, plan, (await priceWorks(session, placement)).map(subjectOf));
      await session.clear();
      lines.push(...of.lines);
      targets.push(
        ratio(of, 'placement one over the same service with a queue on disk of its own', clustered, durable),
      );
    }
    return {
      name: clusterRow.name,
      title: clusterRow.title,
      columns,
      lines,
      verdicts: targets.map(judged),
      notes: notesOf(noServer, withPeer),
    };
  },
};

const notesOf = (noServer: readonly string[], withPeer: boolean): string[] => [
  `${String(window)} publishes unanswered in all; the clock stops when the last event was handled. Members, server, publishers and workers are on this machine and share its cores, so that more members cannot handle more than the cores allow. Each member handles one event at a time, in order for each of ${String(keys)} keys; each worker of BullMQ has 64 jobs at once, in no order.`,
  ...(noServer.length === 0 ? [] : [`Nothing was measured: ${noServer.join(', ')} is not installed.`]),
  ...(withPeer || noServer.length > 0
    ? []
    : [
        `BullMQ was not measured: ${missingPeer().join(', ') || 'a run for a moment leaves it out'} (its packages are looked for in the folder that ${peersVariable} names).`,
      ]),
];
