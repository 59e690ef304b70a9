// What a scraper of metrics costs: the same load on the same daemon, with somebody who asks for /metrics every second
// and without. The daemon has many plugins, because the metrics of one would cost nothing.
import { request } from 'node:http';
import { eventAt, eventsOf, requestLine } from '../payload.ts';
import { serviceId, writeService } from '../plugins.ts';
import { type Row, type Target, judged } from '../row.ts';
import { Rounds } from '../rounds.ts';
import { lineLoad, publishLoad, serviceDaemon } from '../servers.ts';
import type { Session } from '../session.ts';
import { flowSubject } from '../socket-subject.ts';
import type { Placement, Subject } from '../subject.ts';
import { flowColumns } from './end-to-end.ts';

const publish = 'ingress.publish, one event a request';
const deliver = 'ingress.deliver, one event a request';
const batches = 'ingress.publish, 64 events a request';
const scraped = (name: string): string => `${name}, scraped every second`;

const plugins = 128;
const everyMs = 1000;
const window = 512;
const batch = 64;

const scrape = (socket: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const asking = request({ socketPath: socket, path: '/metrics' }, (answer) => {
      answer.resume().once('end', resolve);
    });
    asking.once('error', reject).end();
  });

/** The same, while somebody scrapes. */
function whileScraped(subject: Subject, socket: string): Subject {
  return {
    name: scraped(subject.name),
    async measure(durationMs) {
      let scraping = scrape(socket);
      const timer = setInterval(() => {
        scraping = scrape(socket);
      }, everyMs);
      try {
        return await subject.measure(durationMs);
      } finally {
        clearInterval(timer);
        await scraping;
      }
    },
  };
}

async function subjectsOf(session: Session, placement: Placement): Promise<Subject[]> {
  const daemon = await serviceDaemon(session, placement);
  for (let at = 0; at < session.many(plugins, 4); at += 1)
    await daemon.load(await writeService(daemon.folder, { id: `bench.idle${String(at)}` }), { start: false });
  const event = eventAt(0);
  const flows = [
    {
      name: publish,
      load: publishLoad(daemon.socket, [requestLine('ingress.publish', { plugin: serviceId, event })]),
      perRequest: 1,
    },
    {
      name: deliver,
      load: lineLoad(daemon.socket, [requestLine('ingress.deliver', { plugin: serviceId, event })]),
      perRequest: 1,
    },
    {
      name: batches,
      load: publishLoad(daemon.socket, [
        requestLine('ingress.publish', { plugin: serviceId, events: eventsOf(batch) }),
      ]),
      perRequest: batch,
    },
  ];
  const subjects = await Promise.all(
    flows.map(({ name, load, perRequest }) =>
      flowSubject(
        session,
        { name, placement, load, server: daemon },
        { window: perRequest === 1 ? window : 16, perRequest },
      ),
    ),
  );
  return subjects.flatMap((subject) => [subject, whileScraped(subject, daemon.socket)]);
}

export const scrapedRow: Row = {
  name: 'scraped',
  title: 'events over the socket while metrics are scraped every second, over the same without',
  async run(session) {
    const rounds: Rounds[] = [];
    for (const placement of session.placements) {
      const plan = { row: 'scraped', placement, warmUpMs: 500, roundMs: everyMs };
      rounds.push(await Rounds.of(session, plan, await subjectsOf(session, placement)));
      await session.clear();
    }
    const targets = rounds.flatMap((of) =>
      [publish, deliver, batches].map((name): Target => ({
        what: `${name}: with a scraper over without`,
        placement: of.placement,
        figure: of.ratio([scraped(name), 'perSecond'], [name, 'perSecond']),
        atLeast: 0.98,
      })),
    );
    return {
      name: scrapedRow.name,
      title: scrapedRow.title,
      columns: flowColumns,
      lines: rounds.flatMap(({ lines }) => lines),
      verdicts: targets.map(judged),
      notes: [
        `The daemon has ${String(plugins)} plugins beside the one that works; each round is scraped at its beginning and then every second.`,
      ],
    };
  },
};
