// Many services: whether an event costs the host more because there are others. Each number of services has its own
// daemon; its load spreads single events evenly over them.
import { eventAt, requestLine } from '../payload.ts';
import { serviceId, writeService } from '../plugins.ts';
import { type Row, type Target, judged } from '../row.ts';
import { Rounds } from '../rounds.ts';
import { lineLoad } from '../servers.ts';
import { BenchDaemon } from '../bench-daemon.ts';
import type { Session } from '../session.ts';
import { flowSubject } from '../socket-subject.ts';
import type { Placement, Subject } from '../subject.ts';
import { flowColumns } from './end-to-end.ts';

const window = 512;
const startedAtOnce = 10;
/** Two hundred services share it: each needs some hundreds of events before its code is compiled. */
const warmUpMs = 3000;
const nameOf = (count: number): string => `${String(count)} service${count === 1 ? '' : 's'}`;

async function subjectOf(session: Session, placement: Placement, count: number): Promise<Subject> {
  const daemon = await session.holding(BenchDaemon.start({ placement }));
  const ids = Array.from({ length: count }, (_, at) => `${serviceId}-${String(at)}`);
  session.progress(`many (${placement}): starting ${nameOf(count)}`);
  for (let at = 0; at < ids.length; at += startedAtOnce) {
    await Promise.all(
      ids
        .slice(at, at + startedAtOnce)
        .map(async (id) => await daemon.load(await writeService(daemon.folder, { id }), { start: true })),
    );
  }
  const event = eventAt(0);
  const requests = ids.map((plugin) => requestLine('ingress.publish', { plugin, event }));
  const last = requestLine('ingress.deliver', { plugin: ids.at(-1), event });
  return await flowSubject(
    session,
    { name: nameOf(count), placement, load: lineLoad(daemon.socket, requests, last), server: daemon },
    { window, perRequest: 1 },
  );
}

export const many: Row = {
  name: 'many',
  title: 'what an event costs the host with 1, 10, 50 and 200 services',
  async run(session) {
    const counts = session.smoke ? [1, 2, 4] : [1, 10, 50, 200];
    const few = nameOf(counts[1] ?? 1);
    const most = nameOf(counts.at(-1) ?? 1);
    const rounds: Rounds[] = [];
    for (const placement of session.placements) {
      const subjects = [];
      for (const count of counts) subjects.push(await subjectOf(session, placement, count));
      rounds.push(await Rounds.of(session, { row: 'many', placement, warmUpMs, roundMs: 300 }, subjects));
      await session.clear();
    }
    const targets = rounds.map((of): Target => ({
      what: `host CPU per event with ${most} over ${few}`,
      placement: of.placement,
      figure: of.ratio([most, 'mainMicros'], [few, 'mainMicros']),
      atMost: 1.3,
    }));
    return {
      name: many.name,
      title: many.title,
      columns: flowColumns,
      lines: rounds.flatMap(({ lines }) => lines),
      verdicts: targets.map(judged),
      notes: [
        `Single events over one connection, ${String(window)} unanswered, to each service in turn: with more services there is less to put into one batch.`,
      ],
    };
  },
};
