// End to end with one event a request: from another process over the socket to the handler, and the answer back. A
// publish is answered when it is queued, and the clock stops when the last event was handled; a deliver is answered
// with the output.
import type { Figure } from '../figures.ts';
import { eventAt, requestLine } from '../payload.ts';
import { serviceId, writeService } from '../plugins.ts';
import { type Column, type Row, type Target, judged } from '../row.ts';
import { Rounds } from '../rounds.ts';
import {
  echoServer,
  httpConnections,
  httpLoad,
  httpServer,
  httpWindow,
  lineLoad,
  parseOnlyServer,
  publishLoad,
  serviceDaemon,
} from '../servers.ts';
import type { Session } from '../session.ts';
import { flowSubject } from '../socket-subject.ts';
import type { Placement, Subject } from '../subject.ts';

const publish = 'Nagaya, ingress.publish';
const waiting = 'Nagaya, ingress.publish that waits for room';
const deliver = 'Nagaya, ingress.deliver';
const parseOnly = 'parse only';
const parseDeliver = 'parse only, the answers of deliver';
const fastify = 'fastify + piscina';

const boundedId = 'bench.bounded';

/** Below the bound on unanswered calls of one connection. */
const window = 512;

export const flowColumns: readonly Column[] = [
  { figure: 'perSecond', title: 'events/s', unit: 'perSecond' },
  { figure: 'mainMicros', title: "server's main thread per event", unit: 'micros' },
  { figure: 'allMicros', title: 'server, all threads, per event', unit: 'micros' },
  { figure: 'loadMicros', title: 'load per event', unit: 'micros' },
];

async function subjectsOf(session: Session, placement: Placement): Promise<Subject[]> {
  const daemon = await serviceDaemon(session, placement);
  // The queue that a manifest gets where it says nothing.
  await daemon.load(await writeService(daemon.folder, { id: boundedId, capacity: 256 }), { start: true });
  const event = eventAt(0);
  const publishing = requestLine('ingress.publish', { plugin: serviceId, event });
  const delivering = requestLine('ingress.deliver', { plugin: serviceId, event });
  const patient = requestLine('ingress.publish', { plugin: boundedId, event, wait: true });
  const last = requestLine('ingress.deliver', { plugin: boundedId, event });
  const queued = await daemon.client.call('ingress.publish', { plugin: serviceId, event });
  const handled = await daemon.client.call('ingress.deliver', { plugin: serviceId, event });
  const parses = await parseOnlyServer(session, placement, JSON.stringify({ result: queued }));
  const parsesDeliver = await parseOnlyServer(session, placement, JSON.stringify({ result: handled }));
  const echo = await echoServer(session, placement);
  const http = await httpServer(session, placement, 'http', 1);
  const withFastify = await httpServer(session, placement, 'fastify', 1);
  const one = { window, perRequest: 1 };
  const overHttp = { window: httpWindow, perRequest: 1 };
  return await Promise.all([
    flowSubject(
      session,
      { name: publish, placement, load: publishLoad(daemon.socket, [publishing]), server: daemon },
      one,
    ),
    flowSubject(
      session,
      { name: waiting, placement, load: lineLoad(daemon.socket, [patient], last), server: daemon },
      one,
    ),
    flowSubject(
      session,
      { name: deliver, placement, load: lineLoad(daemon.socket, [delivering]), server: daemon },
      one,
    ),
    flowSubject(
      session,
      { name: parseOnly, placement, load: lineLoad(parses.socket, [publishing]), server: parses.station },
      one,
    ),
    flowSubject(
      session,
      {
        name: parseDeliver,
        placement,
        load: lineLoad(parsesDeliver.socket, [delivering]),
        server: parsesDeliver.station,
      },
      one,
    ),
    flowSubject(
      session,
      { name: 'raw echo of the bytes', placement, load: lineLoad(echo.socket, [publishing]), server: echo.station },
      one,
    ),
    flowSubject(
      session,
      { name: 'node:http + piscina', placement, load: httpLoad(http.socket, httpConnections), server: http.station },
      overHttp,
    ),
    flowSubject(
      session,
      { name: fastify, placement, load: httpLoad(withFastify.socket, httpConnections), server: withFastify.station },
      overHttp,
    ),
  ]);
}

export const endToEnd: Row = {
  name: 'end-to-end',
  title: 'events from another process over the socket to the handler, one a request, pipelined',
  // eslint-disable-next-line max-lines-per-function -- A list of what is measured.
  async run(session) {
    const rounds: Rounds[] = [];
    for (const placement of session.placements) {
      rounds.push(
        await Rounds.of(
          session,
          { row: 'end-to-end', placement, warmUpMs: 700, roundMs: 250 },
          await subjectsOf(session, placement),
        ),
      );
      await session.clear();
    }
    // On a machine with other work the processor's time says more than the clock on the wall.
    const byCpu = (of: Rounds, peer: string, own: string): Figure =>
      of.ratio([peer, 'mainMicros'], [own, 'mainMicros']);
    const targets = rounds.flatMap((of): Target[] => [
      {
        what: `publish over ${parseOnly}`,
        placement: of.placement,
        figure: of.ratio([publish, 'perSecond'], [parseOnly, 'perSecond']),
        atLeast: 0.75,
      },
      {
        what: `publish that waits over ${parseOnly}`,
        placement: of.placement,
        figure: of.ratio([waiting, 'perSecond'], [parseOnly, 'perSecond']),
        atLeast: 0.75,
      },
      {
        what: `deliver over ${parseDeliver}`,
        placement: of.placement,
        figure: of.ratio([deliver, 'perSecond'], [parseDeliver, 'perSecond']),
        atLeast: 0.75,
      },
      {
        what: `publish over ${parseOnly}, by CPU time of the main thread`,
        placement: of.placement,
        figure: byCpu(of, parseOnly, publish),
        atLeast: 0.75,
      },
      {
        what: `publish that waits over ${parseOnly}, by CPU time of the main thread`,
        placement: of.placement,
        figure: byCpu(of, parseOnly, waiting),
        atLeast: 0.75,
      },
      {
        what: `deliver over ${parseDeliver}, by CPU time of the main thread`,
        placement: of.placement,
        figure: byCpu(of, parseDeliver, deliver),
        atLeast: 0.75,
      },
      {
        what: `publish over ${fastify}`,
        placement: of.placement,
        figure: of.ratio([publish, 'perSecond'], [fastify, 'perSecond']),
        atLeast: 5,
      },
      {
        what: `deliver over ${fastify}`,
        placement: of.placement,
        figure: of.ratio([deliver, 'perSecond'], [fastify, 'perSecond']),
        atLeast: 5,
      },
      {
        what: `publish over ${fastify}, by CPU time of the main thread`,
        placement: of.placement,
        figure: byCpu(of, fastify, publish),
        atLeast: 5,
      },
      {
        what: `deliver over ${fastify}, by CPU time of the main thread`,
        placement: of.placement,
        figure: byCpu(of, fastify, deliver),
        atLeast: 5,
      },
    ]);
    return {
      name: endToEnd.name,
      title: endToEnd.title,
      columns: flowColumns,
      lines: rounds.flatMap(({ lines }) => lines),
      verdicts: targets.map(judged),
      notes: [
        `Lines: one connection, ${String(window)} requests unanswered. HTTP: ${String(httpConnections)} connections with ${String(httpWindow)} pipelined requests each, one thread in the pool.`,
        `"${waiting}" has a queue of 256 and is held at its connection while that is full; the other may fill a queue of 500,000, and pays for keeping it.`,
        'Parse only is a server with the same framing that parses the same lines and answers as many bytes, one write a turn.',
      ],
    };
  },
};
