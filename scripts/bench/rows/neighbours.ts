// Neighbours: how long a deliver takes while another plugin misbehaves, against the same on a calm day. A process that
// has nothing to do with the daemon and loops shows what the machine's scheduler alone does to it.
import { type ChildProcess, spawn } from 'node:child_process';
import type { BenchDaemon } from '../bench-daemon.ts';
import type { Latencies } from '../load/load-station.ts';
import { eventAt, requestLine } from '../payload.ts';
import { serviceId, unrulyId, writeService } from '../plugins.ts';
import { type Row, type Target, judged } from '../row.ts';
import { Rounds } from '../rounds.ts';
import { lineLoad, serviceDaemon } from '../servers.ts';
import type { Session } from '../session.ts';
import { Station, commandLine } from '../station.ts';
import type { Placement, Sample, Subject } from '../subject.ts';
import { loneColumns } from './lone-event.ts';

const calm = 'calm';

/** Enough of them to go on misbehaving for as long as is looked. */
const deeds: readonly [name: string, deed: string, events: number][] = [
  ['another loops for ever', 'loop', 4],
  ['another floods its log', 'logs', 4],
  ['another dies and restarts in a loop', 'dies', 400],
];
const floodsResults = 'another floods results of 64 KiB';
const strangeLoop = 'a process outside the daemon loops for ever';

const unrulyEvent = (deed: string): ReturnType<typeof eventAt> => {
  const event = eventAt(0);
  return { ...event, payload: { ...event.payload, deed } };
};

interface Scene {
  readonly daemon: BenchDaemon;
  readonly placement: Placement;
  readonly watch: Station;
}

async function look({ watch }: Scene, durationMs: number): Promise<Sample> {
  const { p50, p99 } = await watch.ask<Latencies>('oneByOne', { durationMs });
  return { p50, p99 };
}

/** Whatever it was doing, it begins again from nothing. */
async function renew({ daemon }: Scene): Promise<void> {
  await daemon.client.call('service.stop', { plugin: unrulyId, now: true }).catch(() => undefined); // what it was doing, it may be doing to its end too
  await daemon.client.call('plugin.unload', { plugin: unrulyId });
  await daemon.load(await writeService(daemon.folder, { id: unrulyId, code: 'unruly', handleMs: 3000 }), {
    start: true,
  });
}

function during(scene: Scene, name: string, deed: string, events: number): Subject {
  return {
    name,
    async measure(durationMs) {
      await scene.daemon.client.call('ingress.publish', {
        plugin: unrulyId,
        events: Array.from({ length: events }, () => unrulyEvent(deed)),
      });
      const sample = await look(scene, durationMs);
      await renew(scene);
      return sample;
    },
  };
}

async function duringResults(session: Session, scene: Scene): Promise<Subject> {
  const flood = await session.holding(Station.start('load/load-station', scene.placement));
  await flood.ask(
    'open',
    lineLoad(scene.daemon.socket, [
      requestLine('ingress.deliver', { plugin: unrulyId, event: unrulyEvent('results') }),
    ]),
  );
  return {
    name: floodsResults,
    async measure(durationMs) {
      const flooding = flood.ask('flow', { durationMs: durationMs + 50, window: 8 });
      const sample = await look(scene, durationMs);
      await flooding;
      return sample;
    },
  };
}

function duringStrangeLoop(scene: Scene): Subject {
  return {
    name: strangeLoop,
    async measure(durationMs) {
      const [first, rest] = commandLine(scene.placement, ['-e', 'for (;;);']);
      const child: ChildProcess = spawn(first, rest, { stdio: 'ignore' });
      const ended = new Promise((resolve) => void child.once('exit', resolve));
      try {
        return await look(scene, durationMs);
      } finally {
        child.kill('SIGKILL');
        await ended;
      }
    },
  };
}

async function subjectsOf(session: Session, placement: Placement): Promise<Subject[]> {
  const daemon = await serviceDaemon(session, placement);
  await daemon.load(await writeService(daemon.folder, { id: unrulyId, code: 'unruly', handleMs: 3000 }), {
    start: true,
  });
  const watch = await session.holding(Station.start('load/load-station', placement));
  await watch.ask(
    'open',
    lineLoad(daemon.socket, [requestLine('ingress.deliver', { plugin: serviceId, event: eventAt(0) })]),
  );
  const scene: Scene = { daemon, placement, watch };
  return [
    { name: calm, measure: (durationMs) => look(scene, durationMs) },
    ...deeds.map(([name, deed, events]) => during(scene, name, deed, events)),
    await duringResults(session, scene),
    duringStrangeLoop(scene),
  ];
}

export const neighbours: Row = {
  name: 'neighbours',
  title: "a neighbour's deliver while another plugin misbehaves",
  async run(session) {
    const rounds: Rounds[] = [];
    for (const placement of session.placements) {
      rounds.push(
        await Rounds.of(
          session,
          { row: 'neighbours', placement, warmUpMs: 300, roundMs: 400 },
          await subjectsOf(session, placement),
        ),
      );
      await session.clear();
    }
    const misdeeds = [...deeds.map(([name]) => name), floodsResults];
    const targets = rounds.flatMap((of) =>
      misdeeds.map((name): Target => ({
        what: `p99 while ${name}, over calm`,
        placement: of.placement,
        figure: of.ratio([name, 'p99'], [calm, 'p99']),
        atMost: 2,
      })),
    );
    return {
      name: neighbours.name,
      title: neighbours.title,
      columns: loneColumns,
      lines: rounds.flatMap(({ lines }) => lines),
      verdicts: targets.map(judged),
      notes: [
        `"${strangeLoop}" is no plugin at all: what it does to the figures is the scheduler's share of "another loops for ever", which takes a core just so.`,
      ],
    };
  },
};
