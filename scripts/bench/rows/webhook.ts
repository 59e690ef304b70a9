// Webhooks from the socket to the end of their handler: verified, accepted and handled, by a durable service and by one
// in memory, beside what one would build instead.
import { createHmac } from 'node:crypto';
import { BenchDaemon } from '../bench-daemon.ts';
import type { Flow } from '../load/load-station.ts';
import { eventAt } from '../payload.ts';
import { hasProgram, peerModule, peersVariable } from '../peers/broker.ts';
import { hook, hookSecret, webhook, writeService } from '../plugins.ts';
import type { Cpu } from '../processor.ts';
import { type Column, type Line, type Row, type Target, judged } from '../row.ts';
import { Rounds } from '../rounds.ts';
import type { Session } from '../session.ts';
import { Station } from '../station.ts';
import type { Placement, Subject } from '../subject.ts';

const durable = 'Nagaya, a durable service';
const memory = 'Nagaya, the same service in memory';
const peer = 'fastify + BullMQ, redis with appendfsync everysec';
const connections = 64;
const atLeast = 3;
const lookMs = 2;

const columns: readonly Column[] = [
  { figure: 'perSecond', title: 'webhooks/s', unit: 'perSecond' },
  { figure: 'allMicros', title: 'the process, all threads, per webhook', unit: 'micros' },
];

const missing = (): string[] => [
  ...(hasProgram('redis-server') ? [] : ['redis-server']),
  ...(peerModule('bullmq') === undefined ? ['bullmq'] : []),
];

interface Receiver {
  readonly name: string;
  readonly port: number;
  readonly path: string;
  readonly server: { readonly cpu: Cpu };
  handled(): Promise<number>;
}

function signedRequest(path: string): string {
  const body = JSON.stringify(eventAt(0).payload);
  const signature = createHmac('sha256', hookSecret.value).update(body).digest('hex');
  return `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${String(Buffer.byteLength(body))}\r\nx-hub-signature-256: sha256=${signature}\r\n\r\n${body}`;
}

/** The clock stops when the last one was handled. */
async function subject(session: Session, placement: Placement, receiver: Receiver): Promise<Subject> {
  const station = await session.holding(Station.start('load/load-station', placement));
  await station.ask('open', {
    // A number in place of a path is a port.
    socket: String(receiver.port),
    requests: [signedRequest(receiver.path)],
    mark: 'HTTP/1.1 202',
    refusal: 'HTTP/1.1 4',
    connections,
  });
  return {
    name: receiver.name,
    async measure(durationMs) {
      const before = await receiver.handled();
      const { allMs } = receiver.server.cpu;
      const beganMs = performance.now();
      const { requests } = await station.ask<Flow>('flow', { durationMs, window: 1 });
      while ((await receiver.handled()) - before < requests)
        await new Promise((resolve) => setTimeout(resolve, lookMs));
      const tookMs = performance.now() - beganMs;
      return {
        perSecond: (requests / tookMs) * 1000,
        allMicros: ((receiver.server.cpu.allMs - allMs) * 1000) / requests,
      };
    },
  };
}

async function ownReceivers(session: Session, placement: Placement): Promise<Receiver[]> {
  const daemon = await session.holding(
    BenchDaemon.start({
      placement,
      config: { webhooks: { port: 0 } },
      env: { [hookSecret.variable]: hookSecret.value },
    }),
  );
  const services = [
    { name: durable, id: 'bench.durable', durability: 'disk' },
    { name: memory, id: 'bench.memory', durability: 'memory' },
  ] as const;
  const receivers: Receiver[] = [];
  for (const { name, ...options } of services) {
    await daemon.load(await writeService(daemon.folder, { ...options, sources: [webhook] }), { start: true });
    receivers.push({
      name,
      port: await webhooksPort(daemon),
      path: `/hooks/${options.id}/${hook}`,
      server: daemon,
      handled: async () => (await daemon.client.call('service.status', { plugin: options.id })).counters.handled,
    });
  }
  return receivers;
}

async function webhooksPort({ client }: BenchDaemon): Promise<number> {
  for (;;) {
    const { sources } = await client.call('source.list', {});
    const url = sources[0]?.url;
    if (url !== undefined && sources.every(({ state }) => state === 'open')) return Number(new URL(url).port);
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

async function peerReceiver(session: Session, placement: Placement): Promise<Receiver> {
  const station = await session.holding(Station.start('peers/fastify-queue', placement));
  const port = await station.ask<number>('listen');
  return { name: peer, port, path: '/hook', server: station, handled: () => station.ask<number>('handled') };
}

function targetsOf(of: Rounds, there: boolean): Target[] {
  const { placement } = of;
  const over = (name: string, what: string, below: string, least?: number): Target => ({
    what,
    placement,
    figure: of.ratio([name, 'perSecond'], [below, 'perSecond']),
    ...(least === undefined ? {} : { atLeast: least }),
  });
  return there
    ? [
        over(durable, 'accepted and handled by a durable service over fastify + BullMQ', peer, atLeast),
        over(memory, 'accepted and handled in memory over fastify + BullMQ', peer, atLeast),
      ]
    : [over(durable, 'accepted and handled by a durable service over the same in memory', memory)];
}

export const webhookRow: Row = {
  name: 'webhook',
  title: 'webhooks that are verified, accepted and handled, over fastify + BullMQ on redis',
  async run(session) {
    const there = !session.smoke && missing().length === 0;
    const lines: Line[] = [];
    const targets: Target[] = [];
    for (const placement of session.placements) {
      const receivers = [
        ...(await ownReceivers(session, placement)),
        ...(there ? [await peerReceiver(session, placement)] : []),
      ];
      const subjects: Subject[] = [];
      for (const receiver of receivers) subjects.push(await subject(session, placement, receiver));
      const of = await Rounds.of(session, { row: 'webhook', placement, warmUpMs: 1500, roundMs: 600 }, subjects);
      await session.clear();
      lines.push(...of.lines);
      targets.push(...targetsOf(of, there));
    }
    return {
      name: webhookRow.name,
      title: webhookRow.title,
      columns,
      lines,
      verdicts: targets.map(judged),
      notes: [
        `${String(connections)} connections, each with one request unanswered and signed as GitHub signs. The clock stops when the last one was handled. The peer's redis is a process of its own, whose processor time is not counted.`,
        ...(there
          ? []
          : [
              `${peer} was not measured: ${missing().join(', ') || 'a run for a moment leaves it out'} (its packages are looked for in the folder that ${peersVariable} names).`,
            ]),
      ],
    };
  },
};
