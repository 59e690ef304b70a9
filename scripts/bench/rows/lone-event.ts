// A lone event on an idle system: how long one deliver takes when nothing else is there to share a wake-up with.
import { eventAt, requestLine } from '../payload.ts';
import { serviceId } from '../plugins.ts';
import { type Column, type Line, type Row, type Target, judged } from '../row.ts';
import { Rounds } from '../rounds.ts';
import { echoServer, httpLoad, httpServer, lineLoad, serviceDaemon } from '../servers.ts';
import type { Session } from '../session.ts';
import { type SocketSubjectOptions, firstSubject, loneSubject, waySubject } from '../socket-subject.ts';
import type { Placement, Subject } from '../subject.ts';

const nagaya = 'Nagaya, ingress.deliver';
const echo = 'raw socket echo';
const peer = 'fastify + piscina';
const post = 'raw postMessage and back';

export const loneColumns: readonly Column[] = [
  { figure: 'p50', title: 'p50', unit: 'micros' },
  { figure: 'p99', title: 'p99', unit: 'micros' },
];

const columns: readonly Column[] = [
  ...loneColumns,
  { figure: 'firstP50', title: 'first hundred, p50', unit: 'micros' },
  { figure: 'firstP99', title: 'first hundred, p99', unit: 'micros' },
];

async function nagayaOptions(session: Session, placement: Placement): Promise<SocketSubjectOptions> {
  const server = await serviceDaemon(session, placement);
  const line = requestLine('ingress.deliver', { plugin: serviceId, event: eventAt(0) });
  return { name: nagaya, placement, load: lineLoad(server.socket, [line]), server };
}

async function peerOptions(session: Session, placement: Placement): Promise<SocketSubjectOptions> {
  const { socket, station } = await httpServer(session, placement, 'fastify', 1);
  return { name: peer, placement, load: httpLoad(socket, 1), server: station };
}

async function subjectsOf(session: Session, placement: Placement): Promise<Subject[]> {
  const line = requestLine('ingress.deliver', { plugin: serviceId, event: eventAt(0) });
  const echoes = await echoServer(session, placement);
  return await Promise.all([
    loneSubject(session, await nagayaOptions(session, placement)),
    loneSubject(session, { name: echo, placement, load: lineLoad(echoes.socket, [line]), server: echoes.station }),
    waySubject(session, post, 'post-one', placement, 'lone'),
    waySubject(session, 'comlink and back', 'comlink', placement, 'lone'),
    waySubject(session, 'piscina and back', 'piscina', placement, 'lone'),
    waySubject(session, 'fork with IPC and back', 'fork', placement, 'lone'),
    loneSubject(session, await peerOptions(session, placement)),
  ]);
}

export const loneEvent: Row = {
  name: 'lone-event',
  title: 'one ingress.deliver at a time on an idle system',
  async run(session) {
    const rounds: Rounds[] = [];
    const firsts: Rounds[] = [];
    for (const placement of session.placements) {
      rounds.push(
        await Rounds.of(
          session,
          { row: 'lone-event', placement, warmUpMs: 2000, roundMs: 250 },
          await subjectsOf(session, placement),
        ),
      );
      await session.clear();
      firsts.push(
        await Rounds.of(session, { row: 'lone-event', placement, warmUpMs: 0, roundMs: 0 }, [
          firstSubject(session, nagaya, (inner) => nagayaOptions(inner, placement)),
          firstSubject(session, peer, (inner) => peerOptions(inner, placement)),
        ]),
      );
    }
    const overPeer = (of: Rounds, figure: string, what: string): Target => ({
      what: `${what} over ${peer}`,
      placement: of.placement,
      figure: of.ratio([nagaya, figure], [peer, figure]),
      atMost: 1,
    });
    const targets = [
      ...rounds.flatMap((of): Target[] => [
        {
          what: `p50 over ${echo} plus ${post}`,
          placement: of.placement,
          figure: of.ratio([nagaya, 'p50'], [echo, 'p50'], [post, 'p50']),
          atMost: 1.5,
        },
        overPeer(of, 'p50', 'p50'),
        overPeer(of, 'p99', 'p99'),
      ]),
      ...firsts.flatMap((of): Target[] => [
        overPeer(of, 'firstP50', 'p50 of the first hundred'),
        overPeer(of, 'firstP99', 'p99 of the first hundred'),
      ]),
    ];
    return {
      name: loneEvent.name,
      title: loneEvent.title,
      columns,
      lines: rounds.flatMap((of, at) => withFirsts(of, firsts[at])),
      verdicts: targets.map(judged),
      notes: [
        'The first hundred come 5 ms apart, to a daemon or server that has just started.',
        'A deliver wakes another thread or process four times; the limit it is held against does so four times too.',
      ],
    };
  },
};

/** One line for each subject, with all its figures. */
function withFirsts({ lines }: Rounds, firsts: Rounds | undefined): Line[] {
  return lines.map((line) => ({
    ...line,
    figures: { ...line.figures, ...firsts?.lines.find(({ subject }) => subject === line.subject)?.figures },
  }));
}
