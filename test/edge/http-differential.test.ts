// The same bytes to node:http and to the port for webhooks, split at the same random places: what one refuses the other
// refuses, and where both accept they see the same requests. Whoever stands before the port reads as node:http does.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, type Server, Socket, connect, createServer } from 'node:net';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { HttpConnection } from '../../workers/edge/http-connection.ts';
import { RefusedConnections } from '../../workers/edge/refused-connections.ts';
import { loadParsers } from '../../workers/edge/request-parser.ts';

const headerBytes = 1024;
const bounds = {
  connections: 100,
  headerBytes,
  bodyBytes: 256 * 1024,
  bodiesBytes: 16 * 1024 * 1024,
  pending: 64,
  requestMs: 60_000,
  idleMs: 60_000,
};
interface Seen {
  readonly url: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  /** Undefined where node:http gave up the connection before it had handed over the body of a whole request. */
  readonly body: string | undefined;
}

/** Of the connection that is open: what was seen, once it is known whether it came to its end. */
let seen: (() => Seen | undefined)[] = [];

const http = createHttpServer(
  { maxHeaderSize: headerBytes, requestTimeout: 60_000, keepAliveTimeout: 60_000 },
  (request, response) => {
    const chunks: Buffer[] = [];
    let body: string | undefined;
    const { url, headers } = request;
    seen.push(() => (request.complete ? { url, headers: { ...headers }, body } : undefined));
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => {
      body = Buffer.concat(chunks).toString('latin1');
      response.writeHead(202, { 'content-length': '2' }).end('ok');
    });
  },
);
http.on('upgrade', (_request, socket) => socket.destroy());
http.on('connect', (_request, socket) => socket.destroy());
http.on('clientError', (error: NodeJS.ErrnoException, socket) => {
  if (!(socket instanceof Socket) || !socket.writable) return;
  socket.end(`HTTP/1.1 ${error.code === 'HPE_HEADER_OVERFLOW' ? '431 x' : '400 x'}\r\ncontent-length: 0\r\n\r\n`);
});

const parsers = await loadParsers();
const own = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  new HttpConnection(
    socket,
    {
      parsers,
      bounds,
      refused: new RefusedConnections(0),
      hold: () => true,
      handler: {
        refuse: () => undefined,
        handle: ({ url, headers }, body) => {
          seen.push(() => ({ url, headers: { ...headers }, body: body.toString('latin1') }));
          return { status: 202, headers: {}, body: 'ok' };
        },
      },
    },
    () => undefined,
  );
});

after(() => {
  http.close();
  own.close();
});

interface Outcome {
  readonly seen: readonly Seen[];
  readonly statuses: readonly string[];
  /** The last answer says that the connection ends behind it. */
  readonly isLast: boolean;
}

async function outcome(server: Server, pieces: readonly Buffer[]): Promise<Outcome> {
  if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening');
  seen = [];
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let answers = '';
  socket.setEncoding('latin1').setNoDelay(true);
  socket.on('data', (text: string) => (answers += text));
  // Some are cut off before all was sent.
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise(setImmediate);
  }
  socket.end();
  await closed;
  return {
    seen: seen.flatMap((one) => one() ?? []),
    statuses: [...answers.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status = '']) => status),
    isLast: answers.slice(Math.max(0, answers.lastIndexOf('HTTP/1.1 '))).includes('connection: close\r\n'),
  };
}

const lineEnd = fc.oneof(
  { weight: 30, arbitrary: fc.constant('\r\n') },
  fc.constantFrom('\n', '\r', '\r\n ', '\r\r\n'),
);
const bodies = fc.constantFrom('', '{}', 'a', 'POST / HTTP/1.1\r\nhost: x\r\n\r\n', '0\r\n\r\n', 'x'.repeat(300));
const hostileHeaders = [
  'content-length: 5',
  'content-length: +5',
  'content-length: 0x5',
  'content-length: 5, 5',
  'content-length : 5',
  'content-length: ',
  'content-length: 99999999999999999999999',
  'transfer-encoding: chunked',
  'transfer-encoding: chunked, identity',
  'transfer-encoding: gzip, chunked',
  'transfer-encoding: xchunked',
  'transfer-encoding : chunked',
  'transfer-encoding:\tchunked',
  'transfer-encoding: "chunked"',
  'transfer_encoding: chunked',
  'host: y',
  'x-folded: a\r\n b',
  'x-empty:',
  'x-spaces: \t a b \t ',
  ': no-name',
  'no-colon',
  'x(y: 1',
  'x-nul: a\0b',
  'x-high: \xff\xfe',
  'x-same: 1',
  'x-same: 2',
  'cookie: a=1',
  'cookie: b=2',
  'content-type: text/plain',
  'content-type: application/json',
  'connection: close',
  'connection: keep-alive',
  'connection: upgrade',
  'upgrade: h2c',
  'expect: 100-continue',
  'expect: something-else',
  `x-long: ${'y'.repeat(headerBytes)}`,
  'trailer: x-trailer',
];
const chunkSizes = fc.constantFrom(
  'exact',
  'exact;name=value',
  '0exact',
  '+exact',
  '-1',
  '',
  'ffffffffffffffffff',
  'zz',
  ' exact',
);
const chunked = fc
  .record({ size: chunkSizes, end: lineEnd, trailer: fc.constantFrom('', 'x-trailer: 1\r\n', 'bad\r\n') })
  .chain(({ size, end, trailer }) =>
    bodies.map((body) => {
      const chunk = body === '' ? '' : `${size.replace('exact', body.length.toString(16))}${end}${body}\r\n`;
      return { headers: ['transfer-encoding: chunked'], text: `${chunk}0\r\n${trailer}\r\n` };
    }),
  );
const counted = bodies.map((body) => ({ headers: [`content-length: ${String(body.length)}`], text: body }));
const request = fc
  .record({
    line: fc.oneof(
      { weight: 10, arbitrary: fc.constant('POST /hooks/a/b?x=1 HTTP/1.1') },
      fc.constantFrom(
        'GET / HTTP/1.1',
        'HEAD / HTTP/1.1',
        'POST / HTTP/1.0',
        'POST  / HTTP/1.1',
        'POST /a b HTTP/1.1',
        'POST / HTTP/1.2',
        'POST / HTTP/2.0',
        'POST /',
        'PRI * HTTP/2.0',
        'post / HTTP/1.1',
        'CONNECT a:1 HTTP/1.1',
        'OPTIONS * HTTP/1.1',
        'POST http://a/b HTTP/1.1',
        '\r\n\r\nPOST / HTTP/1.1',
        'POST /\xff HTTP/1.1',
      ),
    ),
    host: fc.oneof({ weight: 15, arbitrary: fc.constant(['Host: x']) }, fc.constant([])),
    extra: fc.array(fc.constantFrom(...hostileHeaders), { maxLength: 3 }),
    body: fc.oneof(counted, chunked, fc.constant({ headers: [], text: '' })),
    ends: fc.array(lineEnd, { minLength: 8, maxLength: 8 }),
  })
  .map(({ line, host, extra, body, ends }) => {
    const lines = [line, ...host, ...extra, ...body.headers];
    return `${lines.map((text, nth) => `${text}${ends[nth] ?? '\r\n'}`).join('')}\r\n${body.text}`;
  });
const change = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  how: fc.constantFrom('cut', 'insert', 'replace'),
  byte: fc.oneof(fc.constantFrom(0, 9, 10, 13, 32, 58, 0x7f, 0x80), fc.integer({ min: 0, max: 255 })),
});
const streams = fc
  .record({
    requests: fc.array(request, { minLength: 1, maxLength: 3 }),
    changes: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, fc.array(change, { maxLength: 2 })),
    cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
  })
  .map(({ requests, changes, cuts }) => {
    let bytes = Buffer.from(requests.join(''), 'latin1');
    for (const { at, how, byte } of changes) {
      const place = Math.floor(at * bytes.length);
      const behind = bytes.subarray(how === 'insert' ? place : place + 1);
      bytes = Buffer.concat([bytes.subarray(0, place), Buffer.from(how === 'cut' ? [] : [byte]), behind]);
    }
    const places = [0, ...cuts.map((cut) => Math.floor(cut * bytes.length)), bytes.length].sort((a, b) => a - b);
    return places.slice(1).map((end, nth) => bytes.subarray(places[nth], end));
  });

/** Two hosts node:http takes, and the first of them counts; here they are refused. */
const hasTwoHosts = (text: string): boolean => (text.match(/host:/gi) ?? []).length > 1;

test('random and hostile requests are accepted or refused as node:http does, and read alike', async () => {
  await fc.assert(
    fc.asyncProperty(streams, async (pieces) => {
      const theirs = await outcome(http, pieces);
      const ours = await outcome(own, pieces);
      for (const [nth, one] of ours.seen.entries()) {
        const their = theirs.seen[nth];
        assert.deepEqual(
          plain(one),
          plain({ url: undefined, headers: {}, ...their, body: their?.body ?? one.body }),
          'another request is seen',
        );
      }
      const text = Buffer.concat(pieces).toString('latin1');
      if (hasTwoHosts(text)) return;
      // Here the first refusal is the last answer of a connection; there some are followed by others.
      const acceptedBefore = theirs.statuses.findIndex((status) => status >= '400');
      if (theirs.seen.length > ours.seen.length) assert.equal(acceptedBefore, ours.seen.length);
      assert.ok(theirs.seen.length >= ours.seen.length);
      // What comes behind the last request of a connection is not read here; there it is refused, and that request may
      // not be answered any more.
      if (ours.isLast && (ours.statuses.at(-1) ?? '') < '400') return;
      // What asks for another protocol is cut off without an answer; it may be found to be malformed before.
      if (!/^upgrade:|^CONNECT/im.test(text))
        assert.equal((ours.statuses.at(-1) ?? '') >= '400', acceptedBefore !== -1);
    }),
    { numRuns: Number(process.env['NAGAYA_TEST_RUNS'] ?? 400) },
  );
});

const plain = (one: Seen): unknown => JSON.parse(JSON.stringify(one));
