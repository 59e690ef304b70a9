// The edge's thread is watched as a cell is: one that dies or stalls is replaced, and its sources go on.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { EdgeDeclaration, FromEdge, ToEdge } from '../../protocol/edge/messages.ts';
import { EdgeSupervisor } from '../../daemon/edge/edge-supervisor.ts';
import { type EdgeThread, type EdgeThreadListener, spawnEdge } from '../../daemon/edge/edge-thread.ts';
import { realClock } from '../../daemon/time/real-clock.ts';
import { send } from '../labs/webhook-lab.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';
import { untilAnswer } from '../labs/until.ts';

class Fake implements EdgeThread {
  readonly posted: ToEdge[] = [];
  ended = false;
  readonly listener: EdgeThreadListener;

  constructor(listener: EdgeThreadListener) {
    this.listener = listener;
  }

  post(message: ToEdge): void {
    this.posted.push(message);
  }

  end(): void {
    this.ended = true;
  }

  answerLooks(): void {
    for (const message of this.posted.splice(0))
      if (message.type === 'look') this.listener.message({ type: 'reports', reports: [], look: message.id });
  }
}

const data = { eventBytes: 65_536, nesting: 64, inFlight: 16, webhooks: true };

function lab(clock: VirtualClock) {
  const threads: Fake[] = [];
  const told: string[] = [];
  const supervisor = new EdgeSupervisor({
    data,
    stalledMs: 5000,
    clock,
    spawn: (_data, listener) => {
      const thread = new Fake(listener);
      threads.push(thread);
      return thread;
    },
    began: () => void told.push('began'),
    message: () => undefined,
    lost: (why, isReplaced) => void told.push(isReplaced ? why : `${why} for good`),
  });
  supervisor.start();
  return { supervisor, threads, told, newest: () => threads.at(-1) as Fake };
}

test('a thread that answers its looks is left alone', () => {
  const clock = new VirtualClock();
  const { threads, newest, told } = lab(clock);
  for (let second = 0; second < 60; second += 1) {
    clock.advance(1000);
    newest().answerLooks();
  }
  assert.equal(threads.length, 1);
  assert.deepEqual(told, ['began']);
});

test('a thread that does not answer is ended and replaced', () => {
  const clock = new VirtualClock();
  const { threads, told } = lab(clock);
  clock.advance(10_000);
  assert.ok(threads[0]?.ended);
  assert.ok(threads.length >= 2);
  assert.match(told[1] ?? '', /did not answer for 5000 ms/);
});

test('threads that die one after the other come back ever later, and one that ran for a while at once', () => {
  const clock = new VirtualClock();
  const { threads, newest, supervisor } = lab(clock);
  const waits: number[] = [];
  for (let death = 0; death < 6; death += 1) {
    const before = threads.length;
    newest().listener.ended('told to');
    let waitedMs = 0;
    for (; threads.length === before; waitedMs += 50) clock.advance(50);
    waits.push(waitedMs);
  }
  assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200]);
  for (let second = 0; second < 70; second += 1) {
    clock.advance(1000);
    newest().answerLooks();
  }
  const before = threads.length;
  newest().listener.ended('told to');
  clock.advance(100);
  assert.equal(threads.length, before + 1);
  assert.equal(supervisor.restarts, 7);
});

test('what an ended thread still says is not heard', () => {
  const clock = new VirtualClock();
  const { threads, told } = lab(clock);
  const [first] = threads;
  first?.listener.ended('told to');
  clock.advance(100);
  first?.listener.ended('again');
  assert.deepEqual(told, ['began', 'told to', 'began']);
});

test('a closed supervisor starts nothing, and says so', () => {
  const clock = new VirtualClock();
  const { supervisor, threads, newest, told } = lab(clock);
  supervisor.drain();
  newest().listener.ended('closed');
  supervisor.close();
  clock.advance(60_000);
  assert.equal(threads.length, 1);
  assert.deepEqual(told, ['began', 'closed for good']);
  assert.equal(clock.pendingTimers, 0);
});

/** A real thread with one webhook, whose events are all accepted. */
function realEdge(t: TestContext) {
  const threads: EdgeThread[] = [];
  let port = 0;
  const lost: string[] = [];
  const bounds = {
    connections: 64,
    headerBytes: 16_384,
    bodyBytes: 65_536,
    bodiesBytes: 1_048_576,
    pending: 16,
    requestMs: 5000,
    idleMs: 1000,
  };
  const declaration: EdgeDeclaration = {
    name: 'open',
    type: 'webhook',
    ingress: 'in',
    kind: 'push',
    verify: { scheme: 'none' },
    headers: [],
    answer: 'accepted',
    answerMs: 1000,
  };
  const supervisor: EdgeSupervisor = new EdgeSupervisor({
    data,
    stalledMs: 2000,
    clock: realClock,
    spawn: (...args) => {
      const thread = spawnEdge(...args);
      threads.push(thread);
      return thread;
    },
    began: () => {
      supervisor.post({ type: 'listen', order: { host: '127.0.0.1', port, bounds } });
      const source = {
        plugin: 'p',
        name: 'open',
        kinds: ['push'],
        folder: '/',
        paused: false,
        asked: 0,
        accepting: true,
      };
      supervisor.post({ type: 'sources', sources: [{ ...source, key: 'p/open', declaration }] });
    },
    message: (message: FromEdge) => {
      if (message.type === 'listening') port = message.port;
      if (message.type === 'events')
        supervisor.post({
          type: 'answers',
          answers: message.events.map(({ id }) => ({ id, outcome: 'accepted', correlationId: 'c', duplicate: false })),
        });
    },
    lost: (why) => void lost.push(why),
  });
  supervisor.start();
  t.after(() => supervisor.close());
  const post = async (): Promise<number> => {
    const answer = await send(`http://127.0.0.1:${String(port)}/hooks/p/open`, '{}').catch(() => undefined);
    return answer?.status ?? 0;
  };
  return { supervisor, threads, lost, post, port: () => port };
}

test('a thread that is ended in the middle of its work is replaced, and listens on the same port again', async (t) => {
  const edge = realEdge(t);
  await untilAnswer('the answer fits', edge.post, (status) => status === 202);
  const port = edge.port();
  for (let nth = 1; nth <= 3; nth += 1) {
    edge.threads.at(-1)?.end();
    await untilAnswer(
      'the answer fits',
      () => edge.lost.length,
      (count) => count === nth,
    );
    await untilAnswer('the answer fits', edge.post, (status) => status === 202);
    assert.equal(edge.port(), port);
  }
  assert.equal(edge.supervisor.restarts, 3);
});
