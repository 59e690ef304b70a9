// A local server that takes every request and counts.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { attend } from '../attendant.ts';

let count = 0;
let waiting: { readonly least: number; readonly tell: () => void } | undefined;

const server = createServer((request, response) => {
  request.on('data', () => undefined);
  request.on('end', () => {
    count += 1;
    response.writeHead(204).end();
    if (waiting === undefined || count < waiting.least) return;
    waiting.tell();
    waiting = undefined;
  });
});

attend({
  listen: () =>
    new Promise<string>((resolve) => {
      server.listen(0, '127.0.0.1', () =>
        resolve(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`),
      );
    }),
  count: () => count,
  /** Answers once so many have come. */
  until: ({ least }: { least: number }) =>
    new Promise<void>((resolve) => {
      if (count >= least) resolve();
      else waiting = { least, tell: resolve };
    }),
});
