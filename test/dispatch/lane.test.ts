// The lane's decisions, one by one, on a virtual clock and a register that the test writes as a cell would.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BatchMessage, EventFailure, EventOutput, ResultsMessage } from '../../protocol/cell/messages.ts';
import type { TextWriter } from '../../protocol/cell/text-writer.ts';
import { OutputRing } from '../../protocol/cell/output-ring.ts';
import { ProgressRegister } from '../../protocol/cell/register.ts';
import { IngressQueue } from '../../daemon/dispatch/ingress-queue.ts';
import { Lane } from '../../daemon/dispatch/lane.ts';
import { Pacer } from '../../daemon/dispatch/pacer.ts';
import type { QueuedEvent, Waiter } from '../../daemon/dispatch/queued-event.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

const handleMs = 100;
const head = { ingress: 'work', kind: 'do', source: 'test', createdAt: '2026-01-01T00:00:00.000Z' };

class Bench {
  readonly clock = new VirtualClock();
  readonly register = new ProgressRegister();
  readonly queue = new IngressQueue({ capacity: 1000, maxBytes: 1e9 });
  readonly sent: BatchMessage[] = [];
  readonly told: string[] = [];
  /** What the cell has posted and the host has not received. */
  readonly posted: ResultsMessage[] = [];
  readonly lane: Lane;

  constructor() {
    this.lane = new Lane(
      {
        register: this.register,
        send: (batch) => void this.sent.push(batch),
        drain: () => {
          for (const message of this.posted.splice(0)) this.lane.results(message);
        },
      },
      this.queue,
      this.clock,
      { pacer: new Pacer(), handleMs, stallMs: 1000 },
      {
        handled: ({ correlationId }: QueuedEvent, output: EventOutput | undefined) =>
          void this.told.push(`handled ${correlationId}${output === undefined ? '' : ` ${String(output.json)}`}`),
        failed: ({ correlationId }: QueuedEvent, failure: EventFailure) =>
          void this.told.push(`failed ${correlationId} ${failure.error.message}`),
        overran: ({ correlationId }, ranMs) => void this.told.push(`overran ${correlationId} ${String(ranMs)}`),
        stalled: (idleMs) => void this.told.push(`stalled ${String(idleMs)}`),
        interrupted: (event) => ({ ...event, attempt: event.attempt + 1 }),
      },
    );
  }

  push(count: number, waits?: Waiter): void {
    for (let i = 0; i < count; i += 1) {
      const n = String(this.lane.inFlight + this.queue.size + 1);
      this.queue.push({
        head,
        payload: n,
        eventId: n,
        correlationId: n,
        attempt: 1,
        bytes: 10,
        acceptedMs: this.clock.monotonicMs(),
        waiter: waits,
        story: [],
      });
    }
    this.lane.pump();
  }

  begin(sequence: number): void {
    this.register.begin(sequence, this.clock.monotonicMs());
  }

  finish(sequence: number): boolean {
    return this.register.finish(sequence, this.clock.monotonicMs());
  }

  results(through: number, rest: Partial<ResultsMessage> = {}): ResultsMessage {
    return { type: 'results', through, failures: [], outputs: [], ...rest };
  }
}

const thrown = (sequence: number): EventFailure => ({
  sequence,
  code: 'dispatch_failed',
  error: { name: 'Error', message: 'thrown' },
  durationMs: 1,
});

test('at most two batches are in flight, and a result makes room for the next', () => {
  const bench = new Bench();
  bench.push(100);
  assert.equal(bench.sent.length, 2);
  const [first] = bench.sent;
  assert.ok(first !== undefined);
  bench.lane.results(bench.results(first.count));
  assert.equal(bench.sent.length, 3);
  assert.equal(bench.sent[2]?.first, (bench.sent[1]?.first ?? 0) + (bench.sent[1]?.count ?? 0));
});

test('a deadline runs from the start of the event itself, not of its batch', () => {
  const bench = new Bench();
  bench.push(3);
  bench.begin(1);
  bench.clock.advance(60);
  bench.finish(1);
  bench.begin(2);
  bench.clock.advance(99);
  assert.deepEqual(bench.told, []);
  bench.clock.advance(2);
  assert.equal(bench.told[0], 'handled 1');
  assert.match(bench.told[1] ?? '', /^overran 2 10[01]/);
});

test('an overrun takes the running event alone: those before it are settled, those after it come back untouched', () => {
  const bench = new Bench();
  bench.push(5);
  bench.begin(1);
  bench.finish(1);
  bench.begin(2);
  bench.clock.advance(200);
  assert.equal(bench.lane.inFlight, 4, 'the claimed event is held until it is decided about');
  bench.lane.settleClaimed(undefined);
  const remains = bench.lane.close();
  assert.equal(remains.blamed, undefined);
  assert.deepEqual(
    remains.untouched.map(({ correlationId }) => correlationId),
    ['3', '4', '5'],
  );
});

test('a claimed event that comes again comes before everything behind it', () => {
  const bench = new Bench();
  bench.push(3);
  bench.begin(1);
  bench.clock.advance(200);
  const claimed = bench.lane.current()?.event;
  assert.ok(claimed !== undefined);
  bench.lane.settleClaimed({ ...claimed, attempt: 2 });
  assert.equal(bench.lane.inFlight, 3);
  assert.deepEqual(
    bench.lane.close().untouched.map(({ correlationId, attempt }) => `${correlationId}/${String(attempt)}`),
    ['1/2', '2/1', '3/1'],
  );
});

test('an event that throws because its signal was aborted comes again, before those behind it, and one that returns is handled', () => {
  const left = (throws: boolean): readonly string[] => {
    const bench = new Bench();
    bench.push(3);
    bench.begin(1);
    bench.lane.interrupt();
    assert.equal(bench.lane.pump(), false, 'an interrupted lane hands over nothing more');
    if (throws) bench.posted.push(bench.results(1, { failures: [thrown(1)] }));
    bench.finish(1);
    for (const message of bench.posted.splice(0)) bench.lane.results(message);
    const untouched = bench.lane
      .close()
      .untouched.map(({ correlationId, attempt }) => `${correlationId}/${String(attempt)}`);
    return [...bench.told, ...untouched];
  };
  assert.deepEqual(left(true), ['1/2', '2/1', '3/1']);
  assert.deepEqual(left(false), ['handled 1', '2/1', '3/1']);
});

test('what the cell posted before it was claimed still counts, in its own words', () => {
  const bench = new Bench();
  bench.push(3);
  bench.begin(1);
  bench.posted.push(bench.results(1, { failures: [thrown(1)] }));
  bench.finish(1);
  bench.begin(2);
  bench.clock.advance(150);
  assert.deepEqual(bench.told.slice(0, 1), ['failed 1 thrown']);
  assert.match(bench.told[1] ?? '', /^overran 2/);
});

test('a result that comes for a claimed event is too late, and no other event is taken for it', () => {
  const bench = new Bench();
  bench.push(3);
  bench.begin(1);
  bench.posted.push(bench.results(1, { outputs: [{ sequence: 1, json: '"late"', durationMs: 150 }] }));
  bench.clock.advance(150);
  assert.equal(bench.told.length, 1);
  assert.match(bench.told[0] ?? '', /^overran 1/);
  assert.equal(bench.finish(1), false, 'the cell learns that it lost the claim');
  bench.lane.settleClaimed(undefined);
  assert.deepEqual(
    bench.lane.close().untouched.map(({ correlationId }) => correlationId),
    ['2', '3'],
  );
});

test('an event that ends between the look and the claim is not blamed', () => {
  const bench = new Bench();
  bench.push(2);
  bench.begin(1);
  bench.clock.advance(99);
  bench.finish(1);
  bench.begin(2);
  bench.clock.advance(50);
  assert.deepEqual(bench.told, []);
});

test('a cell that ends while it executes is blamed on that event; one that ends between two is blamed on none', () => {
  const during = new Bench();
  during.push(3);
  during.begin(1);
  during.finish(1);
  during.begin(2);
  const crashed = during.lane.close();
  assert.equal(crashed.blamed?.correlationId, '2');
  assert.deepEqual(during.told, ['handled 1']);
  assert.deepEqual(
    crashed.untouched.map(({ correlationId }) => correlationId),
    ['3'],
  );

  const between = new Bench();
  between.push(3);
  between.begin(1);
  between.finish(1);
  const stray = between.lane.close();
  assert.equal(stray.blamed, undefined);
  assert.deepEqual(
    stray.untouched.map(({ correlationId }) => correlationId),
    ['2', '3'],
  );
});

test('a cell that has work and begins none of it is found out', () => {
  const bench = new Bench();
  bench.push(2);
  bench.begin(1);
  bench.finish(1);
  bench.clock.advance(990);
  assert.deepEqual(bench.told, []);
  bench.clock.advance(20);
  assert.match(bench.told[0] ?? '', /^stalled/);
});

test('a cell cannot settle more than it was sent', () => {
  const bench = new Bench();
  bench.push(2);
  bench.lane.results(bench.results(1_000_000));
  assert.deepEqual(bench.told, ['handled 1', 'handled 2']);
  bench.lane.results(bench.results(1));
  assert.equal(bench.told.length, 2);
});

test('slow events travel in small batches, fast ones in large', () => {
  const paced = (eventMs: number): number => {
    const bench = new Bench();
    for (let round = 0; round < 30; round += 1) {
      bench.push(200 - bench.queue.size);
      const batch = bench.sent.at(-1);
      assert.ok(batch !== undefined);
      bench.clock.advance(eventMs * batch.count);
      bench.lane.results(bench.results(batch.first + batch.count - 1));
    }
    return bench.sent.at(-1)?.count ?? 0;
  };
  assert.equal(paced(10), 1);
  assert.equal(paced(0.01), 64);
});

/** As a cell would: lays the answer where it was told to. */
function answered(bench: Bench, sequence: number): void {
  const buffer = bench.sent.find(({ outputs }) => outputs !== undefined)?.outputs;
  assert.ok(buffer, 'nobody said where answers are laid');
  const json = `"answer ${String(sequence)}"`;
  assert.ok(
    new OutputRing(buffer).write(
      { sequence, json, durationMs: 1 },
      json.length,
      Reflect.get(Buffer.prototype, 'utf8Write') as TextWriter,
    ),
  );
}

const waiter = { handled: () => {}, refused: () => {} };

test('an answer laid in shared memory is had as soon as the bell rings, and the bell tells all that is done', () => {
  const bench = new Bench();
  bench.push(4, waiter);
  for (const sequence of [1, 2, 3]) {
    bench.begin(sequence);
    answered(bench, sequence);
    bench.finish(sequence);
  }
  assert.ok(bench.register.ring());
  assert.ok(!bench.register.ring(), 'the host has not looked yet: it is not told twice');
  bench.lane.progressed();
  assert.deepEqual(bench.told, ['handled 1 "answer 1"', 'handled 2 "answer 2"', 'handled 3 "answer 3"']);
  assert.ok(bench.register.ring(), 'it has looked');
});

test('the bell settles nothing past a report that is still on its way', () => {
  const bench = new Bench();
  bench.push(3);
  bench.begin(1);
  bench.finish(1);
  bench.begin(2);
  bench.register.reportPosted();
  bench.posted.push(bench.results(2, { failures: [thrown(2)] }));
  bench.finish(2);
  bench.begin(3);
  bench.finish(3);
  bench.lane.progressed();
  assert.deepEqual(bench.told, []);
  bench.lane.results(bench.posted.shift() as ResultsMessage);
  assert.deepEqual(bench.told, ['handled 1', 'failed 2 thrown', 'handled 3']);
});

test('what a cell laid down before its end is not lost with it', () => {
  const bench = new Bench();
  bench.push(2, waiter);
  bench.begin(1);
  answered(bench, 1);
  bench.finish(1);
  bench.begin(2);
  const { blamed } = bench.lane.close();
  assert.deepEqual([bench.told, blamed?.correlationId], [['handled 1 "answer 1"'], '2']);
});

test('a cell that pauses after a failure has what was sent behind it taken back, and the next batch resumes it', () => {
  const bench = new Bench();
  bench.push(20);
  assert.equal(bench.sent.length, 2);
  for (const sequence of [1, 2]) {
    bench.begin(sequence);
    bench.finish(sequence);
  }
  bench.lane.results(bench.results(2, { failures: [{ ...thrown(2), paused: true }] }));
  assert.deepEqual(bench.told, ['handled 1', 'failed 2 thrown']);
  const [, , next] = bench.sent;
  assert.deepEqual(
    [next?.resumes, next?.first, bench.lane.inFlight + bench.queue.size],
    [true, 21, 18],
    'sequences are not used twice',
  );
  bench.push(1);
  assert.deepEqual(
    bench.sent.slice(3).map(({ resumes }) => resumes),
    bench.sent.slice(3).map(() => undefined),
    'only the first one resumes',
  );
});
