// A lone event on an idle system: how long one deliver takes when nothing else is there to share a wake-up with.
import { eventAt, requestLine } from '../payload.ts';
import { serviceId } from '../plugins.ts';
import { type Column, type Row, type Target, judged } from '../row.ts';
import { Rounds } from '../rounds.ts';
import { echoServer, httpLoad, httpServer, lineLoad, serviceDaemon } from '../servers.ts';
import type { Session } from '../session.ts';
import { loneSubject, waySubject } from '../socket-subject.ts';
import type { Placement, Subject } from '../subject.ts';

const nagaya = 'Nagaya, ingress.deliver';
const echo = 'raw socket echo';
const post = 'raw postMessage and back';

export const loneColumns: readonly Column[] = [
  { figure: 'p50', title: 'p50', unit: 'micros' },
  { figure: 'p99', title: 'p99', unit: 'micros' },
];

async function subjectsOf(session: Session, placement: Placement): Promise<Subject[]> {
  const daemon = await serviceDaemon(session, placement);
  const line = requestLine('ingress.deliver', { plugin: serviceId, event: eventAt(0) });
  const echoes = await echoServer(session, placement);
  const fastify = await httpServer(session, placement, 'fastify', 1);
  return await Promise.all([
    loneSubject(session, { name: nagaya, placement, load: lineLoad(daemon.socket, [line]), server: daemon }),
    loneSubject(session, { name: echo, placement, load: lineLoad(echoes.socket, [line]), server: echoes.station }),
    waySubject(session, post, 'post-one', placement, 'lone'),
    waySubject(session, 'comlink and back', 'comlink', placement, 'lone'),
    waySubject(session, 'piscina and back', 'piscina', placement, 'lone'),
    waySubject(session, 'fork with IPC and back', 'fork', placement, 'lone'),
    loneSubject(session, {
      name: 'fastify + piscina',
      placement,
      load: httpLoad(fastify.socket, 1),
      server: fastify.station,
    }),
  ]);
}

export const loneEvent: Row = {
  name: 'lone-event',
  title: 'one ingress.deliver at a time on an idle system',
  async run(session) {
    const rounds: Rounds[] = [];
    for (const placement of session.placements) {
      rounds.push(
        await Rounds.of(
          session,
          { row: 'lone-event', placement, warmUpMs: 2000, roundMs: 250 },
          await subjectsOf(session, placement),
        ),
      );
      await session.clear();
    }
    const targets = rounds.map((of): Target => ({
      what: `p50 over ${echo} plus ${post}`,
      placement: of.placement,
      figure: of.ratio([nagaya, 'p50'], [echo, 'p50'], [post, 'p50']),
      atMost: 1.5,
    }));
    return {
      name: loneEvent.name,
      title: loneEvent.title,
      columns: loneColumns,
      lines: rounds.flatMap(({ lines }) => lines),
      verdicts: targets.map(judged),
      notes: [
        'A deliver wakes another thread or process four times; the limit it is held against does so four times too.',
      ],
    };
  },
};
