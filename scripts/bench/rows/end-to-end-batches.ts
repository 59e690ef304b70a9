// End to end with 64 events a request: what is left of the cost of a request when it is shared.
import { eventsOf, requestLine } from '../payload.ts';
import { serviceId } from '../plugins.ts';
import { type Row, type Target, judged } from '../row.ts';
import { Rounds } from '../rounds.ts';
import { lineLoad, parseOnlyServer, publishLoad, serviceDaemon } from '../servers.ts';
import type { Session } from '../session.ts';
import { flowSubject } from '../socket-subject.ts';
import type { Placement, Subject } from '../subject.ts';
import { flowColumns } from './end-to-end.ts';

const nagaya = 'Nagaya, 64 events a publish';
const parseOnly = 'parse only, the same lines';
const perRequest = 64;
const window = 16;

async function subjectsOf(session: Session, placement: Placement): Promise<Subject[]> {
  const daemon = await serviceDaemon(session, placement);
  const params = { plugin: serviceId, events: eventsOf(perRequest) };
  const publishing = requestLine('ingress.publish', params);
  const queued = await daemon.client.call('ingress.publish', params);
  const parses = await parseOnlyServer(session, placement, JSON.stringify({ result: queued }));
  return await Promise.all([
    flowSubject(
      session,
      { name: nagaya, placement, load: publishLoad(daemon.socket, [publishing]), server: daemon },
      { window, perRequest },
    ),
    flowSubject(
      session,
      { name: parseOnly, placement, load: lineLoad(parses.socket, [publishing]), server: parses.station },
      { window, perRequest },
    ),
  ]);
}

export const endToEndBatches: Row = {
  name: 'end-to-end-batches',
  title: 'events from another process over the socket to the handler, 64 a request, pipelined',
  async run(session) {
    const rounds: Rounds[] = [];
    for (const placement of session.placements) {
      rounds.push(
        await Rounds.of(
          session,
          { row: 'end-to-end-batches', placement, warmUpMs: 1000, roundMs: 300 },
          await subjectsOf(session, placement),
        ),
      );
      await session.clear();
    }
    const targets = rounds.flatMap((of): Target[] => [
      {
        what: `over ${parseOnly}`,
        placement: of.placement,
        figure: of.ratio([nagaya, 'perSecond'], [parseOnly, 'perSecond']),
        atLeast: 0.4,
      },
      {
        what: `over ${parseOnly}, by CPU time of the main thread`,
        placement: of.placement,
        figure: of.ratio([parseOnly, 'mainMicros'], [nagaya, 'mainMicros']),
        atLeast: 0.4,
      },
    ]);
    return {
      name: endToEndBatches.name,
      title: endToEndBatches.title,
      columns: flowColumns,
      lines: rounds.flatMap(({ lines }) => lines),
      verdicts: targets.map(judged),
      notes: [`One connection, ${String(window)} requests of ${String(perRequest)} events unanswered.`],
    };
  },
};
