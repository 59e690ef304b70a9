// What becomes of events whose member died or lost its lease, on the member that has it next.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { LeasedUnit, feedFrom } from '../../daemon/cluster/leased-unit.ts';
import type { ReadEvent } from '../../daemon/dispatch/read-event.ts';
import type { Arrival } from '../../daemon/services/placed.ts';
import type { ArrivedEvent, LostTenure, StoredRecord, ToCluster } from '../../protocol/cluster/messages.ts';

const hourMs = 3_600_000;

const arrived = (sequence: number): ArrivedEvent => ({
  sequence,
  eventId: `event-${String(sequence)}`,
  correlationId: `event-${String(sequence)}`,
  head: { ingress: 'numbers', kind: 'number', source: 'test', createdAt: '2026-01-01T00:00:00.000Z' },
  payload: '1',
});

/** A cluster that keeps what is recorded, and an instance that holds what it takes. */
class Lab {
  readonly #kept = new Map<string, StoredRecord>();
  readonly taken: Arrival[] = [];
  units: LeasedUnit[] = [];
  #fence = 0;

  /** Each unit with the events of these places, after a member that was lost so. */
  next(lost: LostTenure | undefined, ...places: readonly (readonly number[])[]): void {
    this.#fence += 1;
    this.close();
    this.taken.length = 0;
    this.units = places.map((sequences, number) => {
      const unit: LeasedUnit = new LeasedUnit({
        unit: `test.one/_${String(number)}`,
        post: (message) => this.#post(unit, message),
        failed: () => undefined,
        roomy: () => setImmediate(() => this.feed()),
      });
      const until = { monotonicMs: Number(process.hrtime.bigint()) / 1e6 + hourMs, wallMs: Date.now() + hourMs };
      const records = [...this.#kept].flatMap(([key, record]) => (key.startsWith(`${unit.unit} `) ? [record] : []));
      const found = { values: [], handled: [], records, ...(lost === undefined ? {} : { lost }) };
      unit.granted({ fence: this.#fence, until }, found);
      unit.adopt();
      unit.records.forget();
      unit.arrived(sequences.map(arrived));
      return unit;
    });
    this.feed();
  }

  close(): void {
    for (const unit of this.units) unit.close();
  }

  feed(): void {
    const take = (_event: ReadEvent, arrival: Arrival): boolean => {
      this.taken.push(arrival);
      return true;
    };
    const stop = (): Promise<void> => Promise.resolve();
    feedFrom(this.units, { lifecycle: 'running', take, stop, leaveQueue: () => 0 });
  }

  /** What the instance has, by place and attempt, once nothing more comes. */
  async has(): Promise<[place: number, attempt: number][]> {
    for (let turn = 0; turn < 20; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      this.feed();
    }
    return this.taken.map(({ origin: { sequence }, attempt }) => [sequence, attempt]);
  }

  #post(unit: LeasedUnit, message: ToCluster): void {
    if (message.type !== 'record') return;
    for (const change of message.changes) {
      if (change.op === 'removeRange') continue;
      const name = `${unit.unit} ${change.table} ${change.key}`;
      if (change.op === 'remove') this.#kept.delete(name);
      else this.#kept.set(name, { table: change.table, key: change.key, value: String(change.value) });
    }
    setImmediate(() => unit.recorded({ type: 'recorded', id: message.id, refusal: null }));
  }
}

function labOf(t: TestContext): Lab {
  const lab = new Lab();
  t.after(() => lab.close());
  return lab;
}

const died = (upTo: number): LostTenure => ({ upTo, died: true });

test('what may have begun comes as another attempt after its member, and what had not begun as the first', async (t) => {
  const lab = labOf(t);
  lab.next(died(2), [1, 2, 3]);
  assert.deepEqual(await lab.has(), [
    [1, 2],
    [2, 2],
    [3, 1],
  ]);
  // Its lease was given back.
  lab.next(undefined, [2, 3]);
  assert.deepEqual(await lab.has(), [
    [2, 2],
    [3, 1],
  ]);
});

test('an event that was lost with two members is alone in the instance, and the others follow it', async (t) => {
  const lab = labOf(t);
  lab.next(died(2), [1, 2, 3], [1]);
  await lab.has();
  lab.next(died(2), [1, 2, 3], [1]);
  assert.deepEqual(await lab.has(), [[1, 3]]);
  lab.taken[0]?.origin.done();
  assert.equal((await lab.has()).length, 2);
  // The second one fails, and waits for its retry.
  const error = { code: 'dispatch_failed' as const, message: 'no' };
  lab.taken[1]?.origin.attempted([{ attempt: 3, at: '2026-01-01T00:00:00.000Z', incarnation: 1, error }]);
  assert.equal((await lab.has()).length, 3, 'the one of the other unit');
  lab.taken[2]?.origin.done();
  assert.deepEqual((await lab.has()).map(([place]) => place).sort(), [1, 1, 2, 3]);
});

test('only where the member of an event that was alone died, that is an attempt that failed', async (t) => {
  const lab = labOf(t);
  lab.next(died(2), [1, 2]);
  await lab.has();
  lab.next(died(2), [1, 2]);
  assert.deepEqual(await lab.has(), [[1, 3]]);
  lab.next({ upTo: 2, died: false }, [1, 2]);
  assert.deepEqual(await lab.has(), [[1, 4]]);
  assert.deepEqual(lab.taken[0]?.story, []);
  lab.next(died(2), [1, 2]);
  assert.deepEqual(await lab.has(), [[1, 5]]);
  assert.deepEqual(
    lab.taken[0]?.story.map(({ attempt, error: { code } }) => [attempt, code]),
    [[4, 'cell_crashed']],
  );
  lab.taken[0]?.origin.done();
  assert.deepEqual((await lab.has())[1], [2, 5]);
  assert.deepEqual(lab.taken[1]?.story, [], 'it was not there alone when the members died');
});

test('an event that was alone when its lease was given back is not charged with the next death', async (t) => {
  const lab = labOf(t);
  lab.next(died(2), [1, 2]);
  await lab.has();
  lab.next(died(2), [1, 2]);
  assert.deepEqual(await lab.has(), [[1, 3]]);
  lab.next(undefined, []);
  await lab.has();
  // This member died before the event came to it.
  lab.next(died(2), [1, 2]);
  assert.deepEqual(await lab.has(), [[1, 4]]);
  assert.deepEqual(lab.taken[0]?.story, []);
});
