// Dispatch: from a host's queue to a handler in another thread, in one process. Nagaya keeps all its promises while it
// is measured; the peers keep none.
import { type Column, type Row, type Target, judged } from '../row.ts';
import { Rounds } from '../rounds.ts';
import { waySubject } from '../socket-subject.ts';
import type { Session } from '../session.ts';

const nagaya = 'Nagaya';
const batches = 'postMessage, batches of 64, two on the way';
const comlink = 'comlink, one at a time';

const ways: readonly [name: string, way: string][] = [
  [nagaya, 'nagaya'],
  ['Nagaya, admission included', 'nagaya-admission'],
  [batches, 'post-batches'],
  ['the same as ready JSON text', 'post-texts'],
  ['postMessage, window of 64', 'post-window'],
  ['postMessage, one at a time', 'post-one'],
  [comlink, 'comlink'],
  ['piscina, 1 thread', 'piscina'],
  ['tinypool, 1 thread', 'tinypool'],
  ['workerpool, 1 thread', 'workerpool'],
  ['fork with IPC, window of 64', 'fork'],
];

const columns: readonly Column[] = [
  { figure: 'perSecond', title: 'events/s', unit: 'perSecond' },
  { figure: 'cpuMicros', title: 'CPU of the process per event', unit: 'micros' },
];

export const dispatch: Row = {
  name: 'dispatch',
  title: "events from a host's queue through a trivial handler in another thread",
  async run(session: Session) {
    const rounds: Rounds[] = [];
    for (const placement of session.placements) {
      const subjects = await Promise.all(ways.map(([name, way]) => waySubject(session, name, way, placement, 'rate')));
      rounds.push(await Rounds.of(session, { row: 'dispatch', placement, warmUpMs: 350, roundMs: 150 }, subjects));
      await session.clear();
    }
    const targets = rounds.flatMap((of): Target[] => [
      {
        what: `over ${batches}, without bookkeeping`,
        placement: of.placement,
        figure: of.ratio([nagaya, 'perSecond'], [batches, 'perSecond']),
        atLeast: 0.8,
      },
      {
        what: `over ${comlink}`,
        placement: of.placement,
        figure: of.ratio([nagaya, 'perSecond'], [comlink, 'perSecond']),
        atLeast: 30,
      },
    ]);
    return {
      name: dispatch.name,
      title: dispatch.title,
      columns,
      lines: rounds.flatMap(({ lines }) => lines),
      verdicts: targets.map(judged),
      notes: [
        "Nagaya's clock begins when the events stand in its queue, as those of the peers do; with admission included it begins before the first of them is checked.",
      ],
    };
  },
};
