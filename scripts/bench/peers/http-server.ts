// What a user would build otherwise: an HTTP service on a unix socket in front of a pool of threads, with node:http or
// with fastify.
import { createServer } from 'node:http';
import { fastify } from 'fastify';
import { Piscina } from 'piscina';
import { attend } from '../attendant.ts';
import type { BenchEvent } from '../payload.ts';
import { program } from '../place.ts';

interface Listening {
  readonly path: string;
  readonly threads: number;
  readonly kind: 'http' | 'fastify';
}

async function withFastify(path: string, pool: Piscina): Promise<void> {
  const server = fastify();
  server.post('/events', async (request) => ({ output: (await pool.run(request.body as BenchEvent)) as number }));
  await server.listen({ path });
}

function withHttp(path: string, pool: Piscina): Promise<void> {
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      void pool.run(JSON.parse(body) as BenchEvent).then((output: number) => {
        const text = JSON.stringify({ output });
        response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
        response.end(text);
      });
    });
  });
  return new Promise((resolve) => void server.listen(path, resolve));
}

attend({
  async listen({ path, threads, kind }: Listening): Promise<void> {
    const pool = new Piscina({ filename: program('peers/pool-worker'), minThreads: threads, maxThreads: threads });
    if (kind === 'fastify') await withFastify(path, pool);
    else await withHttp(path, pool);
  },
});
