// Peers that are silent, slow, huge or lie in the place of a remote daemon: each question ends typed and within its
// bounds, and other runtimes feel nothing of it.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { spawnRemote } from '../../daemon/runtimes/remote/remote-thread.ts';
import { HostError } from '../../protocol/errors.ts';
import type { WorkerEvent } from '../../protocol/runtime.ts';
import { answerText, farToken, remoteLab, startPeer } from '../labs/remote-lab.ts';
import { untilAnswer } from '../labs/until.ts';

const capabilities = {
  canListWorkers: true,
  canShowWorker: true,
  canCreateWorker: true,
  canSendInput: true,
  canStopWorker: true,
  canCancelWorker: true,
  canReadTranscript: true,
  canStreamEvents: true,
};
const summary = {
  runtimeId: 'backend-internal',
  displayName: 'Workers',
  kind: 'embedded',
  status: 'running',
  capabilities: { ...capabilities, maxWorkers: 9 },
  workers: { total: 0, idle: 0, busy: 0, stopped: 0, failed: 0 },
  diagnostics: [],
  profiles: [],
};
const at = '2026-11-30T12:00:00.000Z';
const short = {
  runtimeId: 'backend-internal',
  displayName: 'W',
  intent: 'i',
  profile: null,
  state: 'idle',
  createdAt: at,
  lastActiveAt: at,
};
const view = {
  ...short,
  workerId: 'w-1',
  capabilities,
  implementation: { kind: 'embedded', isolation: 'thread', incarnation: 0 },
  inputs: { pending: 0, capacity: 1, kinds: ['user'], running: null },
  transcript: { firstSequence: 1, totalItems: 0, keptItems: 0, keptBytes: 0 },
  diagnostics: [],
};
const page = { workers: [], next: null, leftOut: { unavailable: [], more: [] } };

const failure = async (asked: PromiseLike<unknown>): Promise<HostError> => {
  try {
    await asked;
  } catch (thrown) {
    assert.ok(thrown instanceof HostError, String(thrown));
    const told = JSON.stringify(thrown.toWire());
    assert.doesNotMatch(told, /127\.0\.0\.1/);
    assert.ok(!told.includes(farToken), told);
    return thrown;
  }
  return assert.fail('it was answered');
};

/** `worker.show`, and what it ends with where a peer answers with these bytes. */
const lies: readonly [what: string, bytes: string, code: string, message: RegExp][] = [
  [
    'a redirect',
    'HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n',
    'runtime_unavailable',
    /redirect/,
  ],
  ['what is no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n\r\n', 'runtime_unavailable', /does not speak HTTP/],
  [
    'a page of a proxy',
    answerText('<html>', 'HTTP/1.1 502 Bad Gateway', 'text/html'),
    'runtime_unavailable',
    /status 502/,
  ],
  ['what is no JSON', answerText('{"a":'), 'runtime_unavailable', /no JSON/],
  ['another schema', answerText('{"workerId":"w-1"}'), 'runtime_unavailable', /does not|is not what this version/],
  ['JSON a million levels deep', answerText('['.repeat(1_000_000)), 'runtime_unavailable', /nests too deeply/],
  [
    'another worker',
    answerText(JSON.stringify({ ...view, workerId: 'w-2' })),
    'runtime_unavailable',
    /does not fit what was asked/,
  ],
  [
    'the token',
    answerText(JSON.stringify({ ...view, intent: `you sent ${farToken}` })),
    'runtime_unavailable',
    /holds the token/,
  ],
  [
    'an encoded body',
    'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}',
    'runtime_unavailable',
    /encoded/,
  ],
  [
    'a head without an end',
    `HTTP/1.1 200 OK\r\n${'x-a: '.padEnd(60_000, 'a')}\r\n`,
    'runtime_unavailable',
    /does not speak HTTP/,
  ],
  [
    'a refusal that no such operation has',
    answerText(JSON.stringify({ code: 'store_missing', detail: 'x' }), 'HTTP/1.1 500 Oops'),
    'runtime_unavailable',
    /status 500/,
  ],
  [
    'that it has no such runtime',
    answerText(JSON.stringify({ code: 'runtime_not_found', detail: 'x' }), 'HTTP/1.1 404 Not Found'),
    'runtime_unavailable',
    /runtime_not_found/,
  ],
  [
    '401 and the token',
    answerText(farToken, 'HTTP/1.1 401 Unauthorized', 'text/plain'),
    'runtime_unauthorized',
    /does not accept/,
  ],
  [
    'an end in the middle',
    'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{',
    'runtime_unreachable',
    /cannot be reached/,
  ],
];

test('whatever a peer answers in place of an answer is refused, typed, without address and token', async (t) => {
  const peers = await Promise.all(lies.map(([, bytes]) => startPeer(t, (socket) => void socket.end(bytes))));
  const { registry } = await remoteLab(
    t,
    Object.fromEntries(peers.map(({ port }, index) => [`p${String(index)}`, port])),
  );
  for (const [index, [what, , code, message]] of lies.entries()) {
    const runtimeId = `p${String(index)}`;
    const error = await failure(Promise.resolve(registry.worker({ runtimeId, workerId: 'w-1' })));
    assert.equal(error.code, code, `${what}: ${error.message}`);
    assert.match(error.message, message, what);
    assert.equal(error.details['runtimeId'], runtimeId);
  }
  assert.ok(peers.every(({ heard }) => heard.every((text) => text === '' || text.includes(`Bearer ${farToken}`))));
});

test("a refusal's words and a runtime's diagnostics are told without the address and the token", async (t) => {
  const peer = await startPeer(t, (socket, head) => {
    const place = head.match(/host: (\S+)/i)?.[1] ?? '';
    const text = `see http://${place}/ \u0007 and \u001b[31m`;
    socket.write(
      head.startsWith('GET /api/runtimes/backend-internal/workers/')
        ? answerText(
            JSON.stringify({ code: 'worker_not_found', detail: text, details: { place, deep: { a: 1 } } }),
            'HTTP/1.1 404 No',
          )
        : answerText(
            JSON.stringify({
              ...summary,
              displayName: text,
              diagnostics: [{ at, level: 'info', code: 'c', message: text }],
            }),
          ),
    );
  });
  const { registry } = await remoteLab(t, { far: peer.port });
  const error = await failure(Promise.resolve(registry.worker({ runtimeId: 'far', workerId: 'w-1' })));
  assert.deepEqual([error.code, error.details], ['worker_not_found', { place: '…', runtimeId: 'far' }]);
  assert.equal(error.message, 'see http://…/   and  [31m');
  const shown = JSON.stringify(await registry.show('far'));
  assert.doesNotMatch(shown, new RegExp(String(peer.port)));
});

test('a list longer than was asked for, and ids that are none, are refused', async (t) => {
  let workers: object[] = [];
  const peer = await startPeer(t, (socket) => void socket.write(answerText(JSON.stringify({ ...page, workers }))));
  const { registry } = await remoteLab(t, { far: peer.port });
  const list = () => registry.workers({ runtimeId: 'far', limit: 2 });
  workers = [{ ...short, workerId: 'a' }];
  assert.deepEqual(
    (await list()).workers.map(({ runtimeId, workerId }) => [runtimeId, workerId]),
    [['far', 'a']],
  );
  workers = ['a', 'b', 'c'].map((workerId) => ({ ...short, workerId }));
  assert.equal((await failure(list())).code, 'runtime_unavailable');
  workers = [{ ...short, workerId: '../../secret' }];
  assert.equal((await failure(list())).code, 'runtime_unavailable');
});

test('an answer without an end is cut off at limits.answerBytes', async (t) => {
  let sent = 0;
  const flood = (socket: Socket): void => {
    const piece = 'x'.repeat(64 * 1024);
    const more = (): void => {
      let room = true;
      while (room && !socket.destroyed) {
        sent += piece.length;
        room = socket.write(`${piece.length.toString(16)}\r\n${piece}\r\n`);
      }
    };
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n');
    socket.on('drain', more);
    more();
  };
  const peer = await startPeer(t, flood);
  const { registry } = await remoteLab(t, { far: peer.port }, { answerBytes: 1024 * 1024 });
  const error = await failure(Promise.resolve(registry.worker({ runtimeId: 'far', workerId: 'w-1' })));
  assert.deepEqual([error.code, error.details['limit']], ['runtime_unavailable', 'limits.answerBytes']);
  assert.ok(sent < 64 * 1024 * 1024, String(sent));
});

test('a silent peer, and one that drips, cost a list one deadline, once, and nobody else anything', async (t) => {
  const silent = await startPeer(t, () => undefined);
  const drips = await startPeer(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n');
    const timer = setInterval(() => socket.write(' '), 20);
    socket.once('close', () => clearInterval(timer));
  });
  const good = await startPeer(
    t,
    (socket) => void socket.write(answerText(JSON.stringify({ ...page, workers: [{ ...short, workerId: 'a' }] }))),
  );
  // The good one has as long as the others, and far longer than it takes.
  const { registry } = await remoteLab(
    t,
    { silent: silent.port, drips: drips.port, good: good.port },
    { runtimeMs: 4000 },
  );
  // The thread runs.
  await registry.workers({ runtimeId: 'good', limit: 10 });
  const first = await registry.workers({ limit: 10 });
  assert.deepEqual(
    first.workers.map(({ runtimeId }) => runtimeId),
    ['good'],
  );
  assert.deepEqual(
    first.leftOut.unavailable.map(({ code }) => code),
    ['runtime_timeout', 'runtime_timeout'],
  );
  const beganMs = performance.now();
  const second = await registry.workers({ limit: 10 });
  // No deadline was waited for: it would have been 4 seconds.
  assert.ok(performance.now() - beganMs < 3500, String(performance.now() - beganMs));
  assert.deepEqual(
    second.workers.map(({ runtimeId }) => runtimeId),
    ['good'],
  );
  assert.deepEqual(
    second.leftOut.unavailable.map(({ code }) => code),
    ['runtime_unavailable', 'runtime_unavailable'],
  );
});

test('calls that wait for one peer are bounded', async (t) => {
  const silent = await startPeer(t, () => undefined);
  const { registry, daemons } = await remoteLab(t, { silent: silent.port }, { runtimeCalls: 3 });
  const address = { runtimeId: 'silent', workerId: 'w-1' };
  const waiting = [1, 2, 3].map(() => failure(Promise.resolve(registry.worker(address))));
  const error = await failure(Promise.resolve(registry.worker(address)));
  assert.deepEqual([error.code, error.details['limit']], ['runtime_unavailable', 'limits.runtimeCalls']);
  // What waits is told when there is nobody any more to ask.
  daemons.close();
  assert.deepEqual(
    (await Promise.all(waiting)).map(({ code }) => code),
    Array(3).fill('runtime_unavailable'),
  );
});

test('what waits for a thread that dies is told so, and the next thread answers', async (t) => {
  let hears = false;
  const peer = await startPeer(t, (socket) => {
    if (hears) socket.write(answerText(JSON.stringify(view)));
  });
  let end: () => void = () => undefined;
  const { registry, told } = await remoteLab(t, { far: peer.port }, {}, (data, listener) => {
    const worker = spawnRemote(data, listener);
    end = () => worker.end();
    return worker;
  });
  const address = { runtimeId: 'far', workerId: 'w-1' };
  const waiting = failure(Promise.resolve(registry.worker(address)));
  await untilAnswer(
    'the request',
    () => Promise.resolve(peer.heard.join('')),
    (heard) => heard.includes('w-1'),
  );
  end();
  assert.equal((await waiting).code, 'runtime_unavailable');
  hears = true;
  const shown = await untilAnswer(
    'the next thread',
    () => Promise.resolve(registry.worker(address)).catch(() => undefined),
    (found) => found !== undefined,
  );
  assert.equal(shown?.runtimeId, 'far');
  assert.match(told.join('\n'), /another one is started/);
});

const streamHead = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n';
const eventText = (event: object): string => `event: x\ndata: ${JSON.stringify(event)}\n\n`;
const snapshot = { type: 'snapshot', at, cursor: 'c-0', worker: view, items: [] };
const stateEvent = (cursor: string): object => ({ type: 'state', at, cursor, state: 'idle' });
const isStream = (head: string): boolean => head.includes('/events');

test('a stream that lies ends the page typed', async (t) => {
  const streams: readonly [string, RegExp][] = [
    [`${streamHead}data: {"type":"nonsense"}\n\n`, /is not what this version/],
    [`${streamHead}data: ${'x'.repeat(2 * 1024 * 1024)}`, /larger than limits\.answerBytes/],
    [`${streamHead}${'data:\n'.repeat(400_000)}`, /larger than limits\.answerBytes/],
    [`${streamHead}${eventText({ ...snapshot, worker: { ...view, workerId: 'w-2' } })}`, /does not fit what was asked/],
    [`${streamHead}${eventText(stateEvent('c'.repeat(2000)))}`, /does not fit what was asked/],
    [`${streamHead}${eventText({ ...snapshot, note: farToken })}`, /holds the token/],
    [answerText('{}'), /not what this version understands|without a stream/],
    [answerText(JSON.stringify({ events: [], next: '', more: false })), /without a stream/],
  ];
  const peers = await Promise.all(streams.map(([bytes]) => startPeer(t, (socket) => void socket.write(bytes))));
  const ports = Object.fromEntries(peers.map(({ port }, index) => [`p${String(index)}`, port]));
  const { registry } = await remoteLab(t, ports, { answerBytes: 1024 * 1024 });
  for (const [index, [bytes, message]] of streams.entries()) {
    const asked = registry.events({ runtimeId: `p${String(index)}`, workerId: 'w-1' }, { limit: 10, waitMs: 0 });
    const error = await failure(Promise.resolve(asked));
    assert.equal(error.code, 'runtime_unavailable', bytes.slice(0, 200));
    assert.match(error.message, message, bytes.slice(0, 200));
  }
});

test('pages of events share one stream, and one that breaks is opened again behind the last cursor', async (t) => {
  const opened: string[] = [];
  let current: Socket | undefined;
  const peer = await startPeer(t, (socket, head) => {
    if (!isStream(head)) return void socket.write(answerText(JSON.stringify(view)));
    opened.push(/after=([^ &]*)/.exec(head)?.[1] ?? '');
    current = socket;
    socket.write(streamHead + (opened.length === 1 ? eventText(snapshot) : ''));
  });
  const { registry } = await remoteLab(t, { far: peer.port });
  const address = { runtimeId: 'far', workerId: 'w-1' };
  const got: WorkerEvent[] = [];
  const cursors = (): (string | null)[] => got.map(({ cursor }) => cursor);
  const subscription = await registry.subscribe(address, {
    push(event) {
      got.push(event);
      return true;
    },
  });
  const came = (count: number) =>
    untilAnswer(
      `${String(count)} events`,
      () => Promise.resolve(got.length),
      (length) => length >= count,
    );
  await came(1);
  for (const [index, cursor] of ['c-1', 'c-2', 'c-3'].entries()) {
    current?.write(eventText(stateEvent(cursor)));
    await came(index + 2);
  }
  assert.deepEqual(opened, ['']);
  const first = got[0];
  assert.equal(first?.type === 'snapshot' && first.worker.runtimeId, 'far');
  current?.destroy();
  await untilAnswer(
    'another stream',
    () => Promise.resolve(opened.length),
    (count) => count === 2,
  );
  assert.equal(opened[1], 'c-3');
  current?.write(eventText(stateEvent('c-4')));
  await came(5);
  assert.deepEqual(cursors(), ['c-0', 'c-1', 'c-2', 'c-3', 'c-4']);
  const last = current;
  const gone = new Promise<void>((resolve) => last?.once('close', () => resolve()));
  subscription.close();
  await gone;
});

test('a peer that ends each stream after one event is not asked again and again at once', async (t) => {
  let opened = 0;
  const peer = await startPeer(t, (socket, head) => {
    if (!isStream(head)) return void socket.write(answerText(JSON.stringify(view)));
    opened += 1;
    socket.end(streamHead + eventText(opened === 1 ? snapshot : stateEvent(`c-${String(opened)}`)));
  });
  const { registry } = await remoteLab(t, { far: peer.port });
  let got = 0;
  const beganMs = performance.now();
  const subscription = await registry.subscribe(
    { runtimeId: 'far', workerId: 'w-1' },
    {
      push() {
        got += 1;
        return true;
      },
    },
  );
  await untilAnswer(
    'some events',
    () => Promise.resolve(got),
    (count) => count >= 5,
  );
  subscription.close();
  // Each stream begins a quarter of a second after the one before it, or later.
  assert.ok(performance.now() - beganMs >= 4 * 240, String(performance.now() - beganMs));
});

test('a listener that takes nothing stops the stream, and a stream that floods it fills no memory', async (t) => {
  let sent = 0;
  const peer = await startPeer(t, (socket, head) => {
    if (!isStream(head)) return void socket.write(answerText(JSON.stringify(view)));
    socket.write(streamHead + eventText(snapshot));
    const more = (): void => {
      let room = true;
      while (room && !socket.destroyed && sent < 1_000_000) {
        sent += 1;
        room = socket.write(eventText(stateEvent(`c-${String(sent)}`)));
      }
    };
    socket.on('drain', more);
    more();
  });
  const { registry } = await remoteLab(t, { far: peer.port });
  let takes = 3;
  const got: (string | null)[] = [];
  const subscription = await registry.subscribe(
    { runtimeId: 'far', workerId: 'w-1' },
    {
      push({ cursor }) {
        if (got.length >= takes) return false;
        got.push(cursor);
        return true;
      },
    },
  );
  await untilAnswer(
    'what it takes',
    () => Promise.resolve(got.length),
    (count) => count === 3,
  );
  takes = 500;
  subscription.resume();
  await untilAnswer(
    'the rest',
    () => Promise.resolve(got.length),
    (count) => count === 500,
  );
  subscription.close();
  assert.deepEqual(got.slice(0, 3), ['c-0', 'c-1', 'c-2']);
  assert.deepEqual(
    got,
    Array.from({ length: 500 }, (_, index) => `c-${String(index)}`),
  );
  assert.ok(sent < 1_000_000, String(sent));
});
