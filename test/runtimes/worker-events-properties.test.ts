// However a follower takes, pauses, goes and comes back: with what it was told, it knows in the end what the transcript
// holds. Nothing is missing without a diagnostic, and nothing comes in another order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { WorkerSubscription } from '../../daemon/runtimes/runtime.ts';
import type { TranscriptItem, WorkerEvent } from '../../protocol/runtime.ts';
import { type RuntimeLab, runtimeLab, settled } from '../labs/runtime-lab.ts';

type Step =
  | { readonly do: 'input'; readonly pieces: readonly string[]; readonly how: 'done' | 'cell_crashed' }
  | { readonly do: 'take'; readonly count: number }
  | { readonly do: 'return' }
  | { readonly do: 'page' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('input' as const),
    pieces: fc.array(fc.string({ maxLength: 5 }), { maxLength: 5 }),
    how: fc.constantFrom('done' as const, 'cell_crashed' as const),
  }),
  fc.record({ do: fc.constant('take' as const), count: fc.integer({ min: 0, max: 12 }) }),
  fc.constantFrom<Step>({ do: 'return' }, { do: 'page' }),
);

/** What a reader knows by the events alone. */
class Reader {
  items = new Map<number, TranscriptItem>();
  state = '';
  cursor: string | undefined;
  /** A diagnostic was told and its snapshot has not come. */
  #gap = false;

  note(event: WorkerEvent): void {
    assert.ok(!this.#gap || event.type === 'snapshot', 'a snapshot follows a diagnostic');
    assert.ok(
      this.cursor !== undefined || event.type === 'snapshot' || event.type === 'diagnostic',
      'a snapshot comes first',
    );
    this.#gap = event.type === 'diagnostic';
    this.cursor = event.cursor ?? this.cursor;
    if (event.type === 'snapshot') {
      this.items = new Map(event.items.map((item) => [item.sequence, item]));
      this.state = event.worker.state;
    } else if (event.type === 'state') this.state = event.state;
    else if (event.type === 'item') this.items.set(event.item.sequence, event.item);
    else if (event.type === 'output') this.#extend(event.sequence, event.offset, event.text);
    else if (event.type === 'end') this.#known(event.sequence, (item) => ({ ...item, status: event.status }));
  }

  /** It may have gone between a diagnostic and its snapshot; then it is told again. */
  comesBack(): void {
    this.#gap = false;
  }

  #extend(sequence: number, offset: number, text: string): void {
    this.#known(sequence, (item) => {
      assert.equal(item.content.length, offset, 'a piece joins the one before');
      return { ...item, content: item.content + text };
    });
  }

  /** What a snapshot no longer held may still be spoken of. */
  #known(sequence: number, change: (item: TranscriptItem) => TranscriptItem): void {
    const item = this.items.get(sequence);
    if (item !== undefined) this.items.set(sequence, change(item));
  }
}

class Trial {
  readonly #lab: RuntimeLab = runtimeLab({ limits: { workerEvents: 9, transcriptItems: 7 } });
  readonly #live = new Reader();
  readonly #paging = new Reader();
  #workerId = '';
  #subscription: WorkerSubscription | undefined;
  #room = 0;
  #fault: unknown;

  async begin(): Promise<void> {
    this.#workerId = (await this.#lab.create()).workerId;
    await this.#follow();
  }

  async take(step: Step): Promise<void> {
    if (step.do === 'input') await this.#input(step.pieces, step.how);
    else if (step.do === 'page') await this.#page();
    else if (step.do === 'return') await this.#follow();
    else {
      this.#room = step.count;
      this.#subscription?.resume();
    }
  }

  async finish(): Promise<void> {
    this.#room = Infinity;
    this.#subscription?.resume();
    while (await this.#page());
    assert.ifError(this.#fault);
    const { items } = await this.#lab.registry.transcript(this.#address, 0, 200);
    const { state } = await this.#lab.registry.worker(this.#address);
    for (const reader of [this.#live, this.#paging]) {
      assert.equal(reader.state, state);
      for (const item of items) assert.deepEqual(reader.items.get(item.sequence), item);
    }
  }

  get #address(): { runtimeId: string; workerId: string } {
    return { runtimeId: 'backend-internal', workerId: this.#workerId };
  }

  async #follow(): Promise<void> {
    this.#subscription?.close();
    this.#live.comesBack();
    const push = (event: WorkerEvent): boolean => {
      if (this.#room <= 0) return false;
      this.#room -= 1;
      this.#note(event);
      return true;
    };
    this.#subscription = await this.#lab.registry.subscribe(this.#address, { after: this.#live.cursor, push });
  }

  /** What a listener throws is swallowed where it listens. */
  #note(event: WorkerEvent): void {
    try {
      this.#live.note(event);
    } catch (thrown) {
      this.#fault ??= thrown;
      throw thrown;
    }
  }

  async #page(): Promise<boolean> {
    const { events, next, more } = await this.#lab.registry.events(this.#address, {
      after: this.#paging.cursor,
      limit: 3,
      waitMs: 0,
    });
    for (const event of events) this.#paging.note(event);
    assert.equal(next, this.#paging.cursor);
    return more;
  }

  async #input(pieces: readonly string[], how: 'done' | 'cell_crashed'): Promise<void> {
    await this.#lab.registry.input(this.#address, { kind: 'user', content: 'x' });
    await settled();
    const { current } = this.#lab.program(this.#workerId);
    for (const piece of pieces) current?.say(piece);
    current?.end(how);
    await settled();
  }
}

test('however it takes, pauses and comes back, a follower knows in the end what the transcript holds', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const trial = new Trial();
      await trial.begin();
      for (const each of steps) await trial.take(each);
      await trial.finish();
    }),
    { numRuns: 300 },
  );
});
