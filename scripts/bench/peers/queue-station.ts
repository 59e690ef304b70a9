// Queues that people store events in today, each with one client that keeps a window of acknowledged publishes open:
// BullMQ on redis that syncs every second, and NATS JetStream on files.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { attend } from '../attendant.ts';
import { eventAt } from '../payload.ts';
import { Broker, freePort, peerModule } from './broker.ts';

export type QueueName = 'bullmq' | 'jetstream';

/** What of the packages is used here; they are not installed where this is compiled. */
interface BullMq {
  Queue: new (
    name: string,
    options: object,
  ) => { add(name: string, data: object): Promise<unknown>; close(): Promise<void> };
}
interface NatsConnection {
  close(): Promise<void>;
}
interface NatsTransport {
  connect(options: object): Promise<NatsConnection>;
}
interface JetStream {
  jetstream(connection: NatsConnection): { publish(subject: string, bytes: Uint8Array): Promise<unknown> };
  jetstreamManager(connection: NatsConnection): Promise<{ streams: { add(options: object): Promise<unknown> } }>;
}

interface Opened {
  readonly broker: Broker;
  publish(): Promise<unknown>;
  close(): Promise<void>;
}

let opened: Opened | undefined;

const load = async <Module>(name: string): Promise<Module> => {
  const path = peerModule(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  return (await import(pathToFileURL(path).href)) as Module;
};

async function bullmq(): Promise<Opened> {
  const { Queue } = await load<BullMq>('bullmq');
  const broker = new Broker('redis-server', (folder) => [
    ...['--port', '0', '--unixsocket', join(folder, 's'), '--dir', folder, '--save', ''],
    ...['--appendonly', 'yes', '--appendfsync', 'everysec'],
  ]);
  const queue = new Queue('bench', { connection: { path: join(broker.folder, 's') } });
  const data = eventAt(0);
  await broker.ready(() => queue.add('first', data));
  return { broker, publish: () => queue.add('placed', data), close: () => queue.close() };
}

async function jetstream(): Promise<Opened> {
  const { connect } = await load<NatsTransport>('@nats-io/transport-node');
  const { jetstream: streamOf, jetstreamManager } = await load<JetStream>('@nats-io/jetstream');
  const port = await freePort();
  const broker = new Broker('nats-server', (folder) => ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder]);
  const connection = await broker.ready(() => connect({ servers: `127.0.0.1:${String(port)}` }));
  await (await jetstreamManager(connection)).streams.add({ name: 'bench', subjects: ['bench.*'], storage: 'file' });
  const stream = streamOf(connection);
  const bytes = Buffer.from(JSON.stringify(eventAt(0)));
  return { broker, publish: () => stream.publish('bench.placed', bytes), close: () => connection.close() };
}

attend(
  {
    async open({ queue }: { queue: QueueName }): Promise<void> {
      opened = queue === 'bullmq' ? await bullmq() : await jetstream();
    },
    async flow({ durationMs, window }: { durationMs: number; window: number }): Promise<{ perSecond: number }> {
      if (opened === undefined) throw new Error('no queue was opened');
      const { publish } = opened;
      const beganMs = performance.now();
      let published = 0;
      const lane = async (): Promise<void> => {
        do {
          await publish();
          published += 1;
        } while (performance.now() - beganMs < durationMs);
      };
      await Promise.all(Array.from({ length: window }, lane));
      return { perSecond: (published / (performance.now() - beganMs)) * 1000 };
    },
  },
  async () => {
    await opened?.close();
    await opened?.broker.end();
  },
);
