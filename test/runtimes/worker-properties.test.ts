// Whatever order inputs, ends, cancels and stops come in, a worker keeps its promises: one input at a time and in
// order, each accepted one in the transcript before it runs and at exactly one end, and nothing beyond a bound.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Limits } from '../../daemon/config/schema.ts';
import type { InputAnswer, TranscriptItem, WorkerEvent } from '../../protocol/runtime.ts';
import { type RuntimeLab, refusal, runtimeLab, settled } from '../labs/runtime-lab.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

type Step =
  | { readonly do: 'input'; readonly content: string; readonly inputId: string | undefined }
  | { readonly do: 'say'; readonly text: string }
  | { readonly do: 'end'; readonly how: 'done' | 'cancelled' | 'cell_crashed' | 'dispatch_timeout' }
  | { readonly do: 'cancel' | 'stop' }
  | { readonly do: 'pass'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('input' as const),
      content: fc.string({ minLength: 1, maxLength: 40 }),
      inputId: fc.constantFrom(undefined, undefined, 'a', 'b', 'c'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('say' as const), text: fc.string({ maxLength: 60, unit: 'grapheme' }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('end' as const),
      how: fc.constantFrom(
        'done' as const,
        'done' as const,
        'cancelled' as const,
        'cell_crashed' as const,
        'dispatch_timeout' as const,
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 5000 }) }) },
);

const bounds = (transcriptItems: number): Partial<Limits> => ({
  transcriptItems,
  transcriptBytes: 400,
  workerInputs: 3,
  workerInputBytes: 100,
  workerSayBytes: 120,
  workerHistory: 5,
  workerEvents: 20,
  workerKeys: 2,
});
const ends = new Set(['done', 'failed', 'cancelled']);

class Trial {
  readonly accepted: InputAnswer[] = [];
  /** Every item there ever was, as its last event left it: the transcript itself forgets. */
  readonly items = new Map<number, TranscriptItem>();
  readonly #lab: RuntimeLab;
  readonly #clock = new VirtualClock();
  readonly #byInputId = new Map<string, { readonly content: string; readonly answer: InputAnswer }>();
  readonly #said = new Map<string, string>();
  #worker = '';
  #stopped = false;

  constructor(transcriptItems: number) {
    this.#lab = runtimeLab({ clock: this.#clock, limits: bounds(transcriptItems) });
  }

  async begin(): Promise<void> {
    this.#worker = (await this.#lab.create()).workerId;
    await this.#lab.registry.subscribe(this.#address, { push: (event) => this.#note(event) });
  }

  async take(step: Step): Promise<void> {
    const { registry } = this.#lab;
    const program = this.#lab.program(this.#worker);
    if (step.do === 'input') await this.#input(step.content, step.inputId);
    else if (step.do === 'say') this.#say(step.text);
    else if (step.do === 'end') program.current?.end(step.how);
    else if (step.do === 'pass') this.#clock.advance(step.ms);
    else if (step.do === 'cancel') {
      const runs = program.current !== undefined;
      assert.equal(
        (await registry.cancel(this.#address, { ranAtMs: this.#clock.monotonicMs() })).changed,
        runs,
        'there is something to cancel only where something runs',
      );
    } else {
      const { changed } = await registry.stop(this.#address);
      assert.equal(changed, !this.#stopped, 'a second stop changes nothing');
      this.#stopped = true;
    }
    await this.#rest();
    await this.#holds();
  }

  async finish(): Promise<void> {
    const program = this.#lab.program(this.#worker);
    while (program.current !== undefined) {
      program.current.end('done');
      await this.#rest();
    }
    const endOf = (eventId: string): TranscriptItem[] =>
      [...this.items.values()].filter((item) => item.eventId === eventId && ends.has(item.status ?? ''));
    for (const { eventId } of this.accepted)
      assert.equal(endOf(eventId).length, 1, 'an accepted input comes to exactly one end');
    const ran = program.given.map(({ input }) => input.eventId);
    assert.deepEqual(
      ran,
      this.accepted.map(({ eventId }) => eventId).filter((id) => ran.includes(id)),
      'they ran in the order of their acceptance, each once',
    );
    if (!this.#stopped) assert.equal(ran.length, this.accepted.length, 'and all of them ran');
    assert.ok(![...this.items.values()].some((item) => item.status === 'streaming'), 'nothing streams any more');
    for (const { role, eventId, content, truncated } of this.items.values()) {
      if (role !== 'worker') continue;
      const said = this.#said.get(eventId) ?? '';
      assert.ok(
        truncated === true ? said.startsWith(content) && said !== content : said === content,
        'what was said stands there, or its beginning, marked',
      );
    }
  }

  get #address(): { runtimeId: string; workerId: string } {
    return { runtimeId: 'backend-internal', workerId: this.#worker };
  }

  #say(text: string): void {
    const { current } = this.#lab.program(this.#worker);
    if (current === undefined) return;
    current.say(text);
    this.#said.set(current.input.eventId, (this.#said.get(current.input.eventId) ?? '') + text);
  }

  async #input(content: string, inputId: string | undefined): Promise<void> {
    const { registry } = this.#lab;
    const program = this.#lab.program(this.#worker);
    const ran = program.given.length;
    const {
      inputs: { pending },
    } = await registry.worker(this.#address);
    const before = inputId === undefined ? undefined : this.#byInputId.get(inputId);
    let answer: InputAnswer;
    try {
      answer = await registry.input(this.#address, { kind: 'user', content, inputId });
    } catch (thrown) {
      const { code, details } = await refusal(() => Promise.reject(thrown));
      if (code === 'invalid_request') assert.notEqual(before?.content, content);
      else if (code === 'worker_stopped') assert.ok(this.#stopped);
      else if (code === 'worker_busy') assert.ok(pending === 3 && Number(details['retryAfterMs']) > 0);
      else assert.ok(code === 'payload_too_large' && Buffer.byteLength(content) > 100, code);
      return;
    }
    if (before !== undefined && before.answer.eventId === answer.eventId) {
      assert.deepEqual(
        [answer, content],
        [before.answer, before.content],
        'a repeated inputId is answered as the first time',
      );
      return;
    }
    assert.equal(program.given.length, ran, 'it is accepted before anything runs');
    assert.equal(this.items.get(answer.sequence)?.content, content, 'and stands in the transcript then');
    this.accepted.push(answer);
    if (inputId !== undefined) this.#byInputId.set(inputId, { content, answer });
  }

  async #rest(): Promise<void> {
    this.#clock.drain();
    await settled();
    this.#clock.drain();
    await settled();
  }

  async #holds(): Promise<void> {
    const { registry, limits } = this.#lab;
    const program = this.#lab.program(this.#worker);
    const view = await registry.worker(this.#address);
    const { items, firstSequence, totalItems, nextStart } = await registry.transcript(this.#address, 0, 200);
    assert.ok(program.mostRunning <= 1, 'one at a time');
    assert.ok(
      items.length <= limits.transcriptItems &&
        view.transcript.keptBytes <= limits.transcriptBytes &&
        view.inputs.pending <= limits.workerInputs,
      'within the bounds',
    );
    assert.equal(
      view.transcript.keptBytes,
      items.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0),
    );
    assert.deepEqual(
      [totalItems, firstSequence, nextStart],
      [this.items.size, this.items.size - items.length + 1, this.items.size + 1],
      'what is gone shows',
    );
    for (const item of items)
      assert.deepEqual(item, this.items.get(item.sequence), 'events and transcript tell the same');
    for (const { content } of items.filter(({ role }) => role === 'host')) assert.doesNotMatch(content, /SECRET|\//);
    assert.equal(view.state === 'busy', program.current !== undefined && !this.#stopped, 'busy while something runs');
    assert.equal(view.state === 'stopped', this.#stopped);
  }

  #note(event: WorkerEvent): boolean {
    if (event.type === 'item') this.items.set(event.item.sequence, event.item);
    const item = event.type === 'output' || event.type === 'end' ? this.items.get(event.sequence) : undefined;
    if (item !== undefined && event.type === 'output') {
      assert.equal(event.offset, item.content.length, 'no piece is lost or comes twice');
      this.items.set(item.sequence, { ...item, content: item.content + event.text });
    }
    if (item !== undefined && event.type === 'end')
      this.items.set(item.sequence, { ...item, status: event.status, ...(event.truncated ? { truncated: true } : {}) });
    return true;
  }
}

test('in any order of inputs, repeats, ends, cancels and stops a worker keeps its promises', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.constantFrom(2, 5, 100), async (steps, transcriptItems) => {
      const trial = new Trial(transcriptItems);
      await trial.begin();
      for (const each of steps) await trial.take(each);
      await trial.finish();
    }),
    { numRuns: 400 },
  );
});
