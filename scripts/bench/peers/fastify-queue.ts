// What a user would build otherwise for webhooks: fastify verifies the signature and places a job in BullMQ on redis,
// and a worker of the same process handles it.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fastify } from 'fastify';
import { attend } from '../attendant.ts';
import { hookSecret } from '../plugins.ts';
import { Broker, peerModule } from './broker.ts';

/** What of the package is used here; it is not installed where this is compiled. */
interface BullMq {
  Queue: new (name: string, options: object) => Closable & { add(name: string, data: object): Promise<unknown> };
  Worker: new (name: string, handle: () => Promise<void>, options: object) => Closable;
}
interface Closable {
  close(): Promise<void>;
}

const concurrency = 64;
let handled = 0;
let close: () => Promise<void> = () => Promise.resolve();

function isSigned(body: Buffer, signature: unknown): boolean {
  const right = createHmac('sha256', hookSecret.value).update(body).digest();
  const given = Buffer.from(String(signature).slice('sha256='.length), 'hex');
  return given.length === right.length && timingSafeEqual(given, right);
}

attend(
  {
    async listen(): Promise<number> {
      const path = peerModule('bullmq');
      if (path === undefined) throw new Error('bullmq is not installed');
      const { Queue, Worker } = (await import(pathToFileURL(path).href)) as BullMq;
      const broker = new Broker('redis-server', (folder) => [
        ...['--port', '0', '--unixsocket', join(folder, 's'), '--dir', folder, '--save', ''],
        ...['--appendonly', 'yes', '--appendfsync', 'everysec'],
      ]);
      const connection = { path: join(broker.folder, 's'), maxRetriesPerRequest: null };
      const queue = new Queue('hooks', { connection, defaultJobOptions: { removeOnComplete: true } });
      await broker.ready(() => queue.add('first', {}));
      const worker = new Worker('hooks', () => Promise.resolve(void (handled += 1)), { connection, concurrency });
      const server = fastify();
      server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
        done(null, body),
      );
      server.post('/hook', async ({ body, headers }, reply) => {
        const bytes = body as Buffer;
        if (!isSigned(bytes, headers['x-hub-signature-256'])) return reply.code(401).send();
        await queue.add('placed', { body: JSON.parse(bytes.toString()) as unknown });
        return reply.code(202).send({ accepted: true });
      });
      await server.listen({ port: 0, host: '127.0.0.1' });
      close = async () => {
        await server.close();
        await worker.close();
        await queue.close();
        await broker.end();
      };
      return (server.server.address() as AddressInfo).port;
    },
    handled: () => handled,
  },
  () => close(),
);
