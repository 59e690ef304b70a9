// A tool call through the socket into the pool, against the same pool called directly inside its host, and against an
// HTTP service in front of it. All have the same number of threads.
import { eventAt, requestLine } from '../payload.ts';
import { toolId, toolName } from '../plugins.ts';
import { type Column, type Row, type Target, judged } from '../row.ts';
import { Rounds } from '../rounds.ts';
import { httpConnections, httpLoad, httpServer, httpWindow, lineLoad, toolDaemon } from '../servers.ts';
import type { Session } from '../session.ts';
import { flowSubject, loneSubject, waySubject } from '../socket-subject.ts';
import type { Placement, Subject } from '../subject.ts';
import { loneColumns } from './lone-event.ts';

const nagaya = 'Nagaya, tool.call, pooled';
const direct = 'piscina, called in its host';
const fastify = 'fastify + piscina';
const http = 'node:http + piscina';
const threads = 2;
const window = 64;

async function subjectsOf(
  session: Session,
  placement: Placement,
): Promise<{ readonly flows: Subject[]; readonly lone: Subject[] }> {
  const daemon = await toolDaemon(session, placement, threads);
  const line = requestLine('tool.call', { plugin: toolId, tool: toolName, input: eventAt(0) });
  const withHttp = await httpServer(session, placement, 'http', threads);
  const withFastify = await httpServer(session, placement, 'fastify', threads);
  const many = { window, perRequest: 1 };
  const overHttp = { window: httpWindow, perRequest: 1 };
  return {
    flows: await Promise.all([
      flowSubject(session, { name: nagaya, placement, load: lineLoad(daemon.socket, [line]), server: daemon }, many),
      waySubject(session, direct, 'piscina-2', placement, 'rate'),
      flowSubject(
        session,
        { name: fastify, placement, load: httpLoad(withFastify.socket, httpConnections), server: withFastify.station },
        overHttp,
      ),
      flowSubject(
        session,
        { name: http, placement, load: httpLoad(withHttp.socket, httpConnections), server: withHttp.station },
        overHttp,
      ),
    ]),
    lone: await Promise.all([
      loneSubject(session, { name: nagaya, placement, load: lineLoad(daemon.socket, [line]), server: daemon }),
      waySubject(session, direct, 'piscina-2', placement, 'lone'),
      loneSubject(session, {
        name: fastify,
        placement,
        load: httpLoad(withFastify.socket, 1),
        server: withFastify.station,
      }),
      loneSubject(session, { name: http, placement, load: httpLoad(withHttp.socket, 1), server: withHttp.station }),
    ]),
  };
}

const columns: readonly Column[] = [
  { figure: 'perSecond', title: 'calls/s', unit: 'perSecond' },
  { figure: 'mainMicros', title: "server's main thread per call", unit: 'micros' },
  { figure: 'allMicros', title: 'all its threads per call', unit: 'micros' },
  ...loneColumns,
];

export const toolCall: Row = {
  name: 'tool-call',
  title: 'pooled tool calls through the socket',
  async run(session) {
    const flows: Rounds[] = [];
    const lone: Rounds[] = [];
    for (const placement of session.placements) {
      const subjects = await subjectsOf(session, placement);
      flows.push(
        await Rounds.of(session, { row: 'tool-call', placement, warmUpMs: 1500, roundMs: 200 }, subjects.flows),
      );
      lone.push(
        await Rounds.of(
          session,
          { row: 'tool-call, one at a time', placement, warmUpMs: 200, roundMs: 150 },
          subjects.lone,
        ),
      );
      await session.clear();
    }
    const targets = [
      ...flows.flatMap((of): Target[] => [
        {
          what: `calls/s over ${direct}`,
          placement: of.placement,
          figure: of.ratio([nagaya, 'perSecond'], [direct, 'perSecond']),
          atLeast: 0.9,
        },
        {
          what: `calls/s over ${fastify}`,
          placement: of.placement,
          figure: of.ratio([nagaya, 'perSecond'], [fastify, 'perSecond']),
          atLeast: 2,
        },
        // On a machine with other work the processor's time says more than the clock on the wall. Whoever calls piscina
        // directly is in it.
        {
          what: `calls over ${direct}, by CPU time of all threads and of the caller`,
          placement: of.placement,
          figure: of.ratio([direct, 'cpuMicros'], [nagaya, 'allMicros'], [nagaya, 'loadMicros']),
          atLeast: 0.9,
        },
        {
          what: `calls over ${fastify}, by CPU time of all threads`,
          placement: of.placement,
          figure: of.ratio([fastify, 'allMicros'], [nagaya, 'allMicros']),
          atLeast: 2,
        },
      ]),
      ...lone.map((of): Target => ({
        what: `p50 of ${fastify} over Nagaya's`,
        placement: of.placement,
        figure: of.ratio([fastify, 'p50'], [nagaya, 'p50']),
        atLeast: 1,
      })),
    ];
    const lines = flows.flatMap((of, at) =>
      of.lines.map((line, place) => ({ ...line, figures: { ...line.figures, ...lone[at]?.lines[place]?.figures } })),
    );
    return {
      name: toolCall.name,
      title: toolCall.title,
      columns,
      lines,
      verdicts: targets.map(judged),
      notes: [
        `${String(threads)} threads in every pool, ${String(window)} calls unanswered; p50 and p99 with one call at a time. Nagaya's answer includes the check of input and output against the tool's schemas.`,
      ],
    };
  },
};
