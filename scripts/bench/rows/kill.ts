// Kill: a handler that loops in JavaScript past its deadline. How long after the deadline its caller has the typed
// answer, and how long until the next incarnation runs.
import { HostError } from '../../../protocol/errors.ts';
import type { FeedNotification } from '../../../protocol/operations/telemetry.ts';
import type { BenchDaemon } from '../bench-daemon.ts';
import { type Figure, figureOf } from '../figures.ts';
import { eventAt } from '../payload.ts';
import { serviceId } from '../plugins.ts';
import { type Column, type Line, type Row, type Target, judged } from '../row.ts';
import { serviceDaemon } from '../servers.ts';
import type { Session } from '../session.ts';
import type { Placement } from '../subject.ts';

const handleMs = 100;
const waitMs = 10_000;
const name = 'Nagaya, thread cell';

const columns: readonly Column[] = [
  { figure: 'answer', title: 'deadline to answer, median', unit: 'millis' },
  { figure: 'answer99', title: 'p99', unit: 'millis' },
  { figure: 'again', title: 'deadline to running again, median', unit: 'millis' },
  { figure: 'again99', title: 'p99', unit: 'millis' },
];

interface Kill {
  readonly answerMs: number;
  readonly againMs: number;
}

/** Resolves with the time at which the service next runs. */
function runsAgain({ client }: BenchDaemon): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the service did not come back')), waitMs);
    client.onEvent(({ event }: FeedNotification) => {
      if (event.data['to'] !== 'running') return;
      clearTimeout(timer);
      resolve(performance.now());
    });
  });
}

async function kill(daemon: BenchDaemon): Promise<Kill> {
  const again = runsAgain(daemon);
  const event = eventAt(0);
  const beganMs = performance.now();
  const code = await daemon.client
    .call('ingress.deliver', { plugin: serviceId, event: { ...event, payload: { ...event.payload, deed: 'loop' } } })
    .then(
      () => 'an answer',
      (thrown: unknown) => (thrown instanceof HostError ? thrown.code : 'unknown'),
    );
  const answeredMs = performance.now();
  if (code !== 'dispatch_timeout') throw new Error(`the caller got ${code} instead of dispatch_timeout`);
  const deadlineMs = beganMs + handleMs;
  return { answerMs: answeredMs - deadlineMs, againMs: (await again) - deadlineMs };
}

async function measured(session: Session, placement: Placement): Promise<Line> {
  const daemon = await serviceDaemon(session, placement, { code: 'unruly', handleMs });
  await daemon.client.call('events.subscribe', { topics: ['lifecycle'] });
  const kills: Kill[] = [];
  const count = session.many(100, 3);
  for (let at = 0; at < count; at += 1) {
    if (at % 20 === 0) session.progress(`kill (${placement}): ${String(at)} of ${String(count)}`);
    kills.push(await kill(daemon));
  }
  await session.clear();
  const answers = kills.map(({ answerMs }) => answerMs);
  const agains = kills.map(({ againMs }) => againMs);
  return {
    subject: name,
    placement,
    figures: {
      answer: figureOf(answers),
      answer99: figureOf(answers, 0.99),
      again: figureOf(agains),
      again99: figureOf(agains, 0.99),
    },
  };
}

export const killRow: Row = {
  name: 'kill',
  title: 'from the deadline of a handler that loops to its typed answer, and to the next incarnation',
  async run(session) {
    const lines: Line[] = [];
    for (const placement of session.placements) lines.push(await measured(session, placement));
    const targets = lines.flatMap(({ placement, figures }): Target[] => [
      {
        what: 'deadline to typed answer, p99',
        placement,
        figure: figures['answer99'] as Figure,
        unit: 'millis',
        atMost: 30,
      },
      {
        what: 'deadline to next incarnation running, p99',
        placement,
        figure: figures['again99'] as Figure,
        unit: 'millis',
        atMost: 100,
      },
    ]);
    return {
      name: killRow.name,
      title: killRow.title,
      columns,
      lines,
      verdicts: targets.map(judged),
      notes: [
        `${String(lines[0]?.figures['answer']?.samples.length ?? 0)} kills each, with a deadline of ${String(handleMs)} ms. Seen from a client: both ways over the socket are in the figures. The restart policy's backoff is 0.`,
      ],
    };
  },
};
