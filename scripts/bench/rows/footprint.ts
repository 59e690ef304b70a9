// Footprint: what the daemon takes while it does nothing, what each idle service adds over a bare worker thread with
// comlink, and how long the daemon takes to be ready over what starting Node takes.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { rssMbOf } from '../../../daemon/faults/vital-signs.ts';
import { BenchDaemon } from '../bench-daemon.ts';
import { serviceId, writeService } from '../plugins.ts';
import { type Column, type Row, type Target, judged } from '../row.ts';
import { Rounds } from '../rounds.ts';
import type { Session } from '../session.ts';
import { Station, commandLine } from '../station.ts';
import type { Placement, Sample, Subject } from '../subject.ts';

const nagaya = 'Nagaya';
const guarded = 'Nagaya under its guardian';
const bare = 'bare worker threads with comlink';
const node = 'node -e 0';
const settleMs = 500;

const columns: readonly Column[] = [
  { figure: 'idleMb', title: 'idle process', unit: 'megabytes' },
  { figure: 'eachMb', title: 'each service or worker', unit: 'megabytes' },
  { figure: 'readyMs', title: 'start to ready', unit: 'millis' },
];

async function daemonMemory(session: Session, count: number): Promise<Sample> {
  const daemon = await session.holding(BenchDaemon.start());
  await sleep(session.lasting(settleMs));
  const idleMb = rssMbOf(daemon.pid);
  for (let at = 0; at < count; at += 1)
    await daemon.load(await writeService(daemon.folder, { id: `${serviceId}-${String(at)}` }), { start: true });
  await sleep(session.lasting(settleMs));
  const eachMb = (rssMbOf(daemon.pid) - idleMb) / count;
  await session.clear();
  return { idleMb, eachMb, readyMs: daemon.readyAfterMs };
}

async function bareMemory(session: Session, count: number): Promise<Sample> {
  const station = await session.holding(Station.start('peers/footprint-host', 'free'));
  await station.ask('open', { count: 0 });
  await sleep(session.lasting(settleMs));
  const idleMb = rssMbOf(station.pid);
  await station.ask('open', { count });
  await sleep(session.lasting(settleMs));
  const eachMb = (rssMbOf(station.pid) - idleMb) / count;
  await session.clear();
  return { idleMb, eachMb };
}

/** On one core only the start is another: memory is what it is. */
async function daemonStart(session: Session, placement: Placement, guardian: boolean): Promise<Sample> {
  const { readyAfterMs } = await session.holding(BenchDaemon.start({ placement, guardian }));
  await session.clear();
  return { readyMs: readyAfterMs };
}

/** From spawning it to its end: it has nothing to do in between. */
function bareStart(placement: Placement): Promise<Sample> {
  const beganMs = performance.now();
  const [first, rest] = commandLine(placement, ['-e', '0']);
  const child = spawn(first, rest, { stdio: 'ignore' });
  return new Promise((resolve) => void child.once('exit', () => resolve({ readyMs: performance.now() - beganMs })));
}

const memoryTarget = (of: Rounds): Target => ({
  what: `each idle service over each of the ${bare}`,
  placement: of.placement,
  figure: of.ratio([nagaya, 'eachMb'], [bare, 'eachMb']),
  atMost: 1.15,
});

export const footprint: Row = {
  name: 'footprint',
  title: 'memory of an idle daemon and of each idle service, and the time to be ready',
  async run(session) {
    const count = session.many(20, 2);
    const rounds: Rounds[] = [];
    for (const placement of session.placements) {
      const own: Subject[] =
        placement === 'free'
          ? [
              { name: nagaya, measure: () => daemonMemory(session, count) },
              { name: bare, measure: () => bareMemory(session, count) },
            ]
          : [{ name: nagaya, measure: () => daemonStart(session, placement, false) }];
      const subjects = [
        ...own,
        { name: guarded, measure: () => daemonStart(session, placement, true) },
        { name: node, measure: () => bareStart(placement) },
      ];
      rounds.push(await Rounds.of(session, { row: 'footprint', placement, warmUpMs: 0, roundMs: 0 }, subjects));
    }
    const targets = rounds.flatMap((of): Target[] => [
      ...(of.placement === 'free' ? [memoryTarget(of)] : []),
      {
        what: `daemon start to ready over ${node}`,
        placement: of.placement,
        figure: of.ratio([nagaya, 'readyMs'], [node, 'readyMs']),
        atMost: 4,
      },
      {
        what: `start to ready under the guardian over ${node}`,
        placement: of.placement,
        figure: of.ratio([guarded, 'readyMs'], [node, 'readyMs']),
        atMost: 5,
      },
    ]);
    return {
      name: footprint.name,
      title: footprint.title,
      columns,
      lines: rounds.flatMap(({ lines }) => lines),
      verdicts: targets.map(judged),
      notes: [
        `Resident memory with ${String(count)} of them less that with none, by their number. Bare Node is timed from its start to its end.`,
      ],
    };
  },
};
