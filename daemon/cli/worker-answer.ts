// What a worker answers to one input, told as it comes: everything else that happens to the worker is left out, and
// nothing is told twice.
import type { Client } from '../../protocol/client/client.ts';
import type { InputAnswer, TranscriptItem, WorkerEvent } from '../../protocol/runtime.ts';
import { PrintedItems } from './printed-items.ts';
import type { WorkerAddress } from './worker-address.ts';
import { WorkerFeed } from './worker-feed.ts';

/** `forgotten`: it came to its end, and how is no longer kept. */
export interface AnswerEnd {
  readonly status: 'done' | 'failed' | 'cancelled' | 'forgotten';
  readonly said: string;
  /** What the worker runs. */
  readonly profile: string | null;
}

export interface AnswerListener {
  /** The part of what happens that belongs to this input; a snapshot as the items in it. */
  event(event: WorkerEvent): void;
  text(text: string, sequence: number): void;
}

const transcriptLimit = 200;

export class WorkerAnswer {
  readonly #address: WorkerAddress;
  readonly #input: InputAnswer;
  readonly #listener: AnswerListener;
  readonly #told = new PrintedItems();
  /** What is said to this input. */
  readonly #sequences = new Set<number>();
  #profile: string | null = null;
  #end: Omit<AnswerEnd, 'profile'> | undefined;

  constructor(address: WorkerAddress, input: InputAnswer, listener: AnswerListener) {
    this.#address = address;
    this.#input = input;
    this.#listener = listener;
  }

  async ended(client: Client): Promise<AnswerEnd> {
    const feed = new WorkerFeed(this.#address);
    for (;;) {
      for (const event of await feed.read(client)) {
        if (event.type === 'snapshot') await this.#takeSnapshot(client, event);
        else this.#take(event);
        if (this.#end !== undefined) return { ...this.#end, profile: this.#profile };
      }
    }
  }

  /** It may have ended before it was looked at, even long ago where the same input id was sent again. */
  async #takeSnapshot(
    client: Client,
    { worker, items, at, cursor }: Extract<WorkerEvent, { type: 'snapshot' }>,
  ): Promise<void> {
    this.#profile = worker.profile;
    const from = items[0]?.sequence ?? 0;
    const earlier = this.#sequences.size === 0 && from > this.#input.sequence ? await this.#earlier(client, from) : [];
    for (const item of [...earlier, ...items]) this.#take({ type: 'item', at, cursor, item });
    if (worker.state !== 'busy' && worker.inputs.pending === 0) this.#end ??= { status: 'forgotten', said: '' };
  }

  async #earlier(client: Client, before: number): Promise<TranscriptItem[]> {
    const found: TranscriptItem[] = [];
    let start = this.#input.sequence;
    while (start < before) {
      const { items, nextStart } = await client.call('worker.transcript', {
        ...this.#address,
        start,
        limit: transcriptLimit,
      });
      found.push(...items.filter(({ sequence, eventId }) => sequence < before && eventId === this.#input.eventId));
      if (nextStart <= start) break;
      start = nextStart;
    }
    return found;
  }

  #take(event: WorkerEvent): void {
    if (event.type === 'item') this.#takeItem(event.item, event);
    else if (event.type === 'output' && this.#sequences.has(event.sequence)) {
      this.#listener.event(event);
      this.#say(this.#told.more(event.sequence, event.offset, event.text), event.sequence);
    } else if (event.type === 'end' && this.#sequences.has(event.sequence)) {
      this.#listener.event(event);
      if (event.status === 'done') this.#end = { status: 'done', said: '' };
    } else if (event.type === 'diagnostic') this.#listener.event(event);
  }

  #takeItem(item: TranscriptItem, event: WorkerEvent): void {
    const { eventId, role, sequence, status, content } = item;
    if (eventId !== this.#input.eventId || role === 'user' || role === 'system') return;
    this.#sequences.add(sequence);
    this.#listener.event(event);
    if (role === 'worker') this.#say(this.#told.rest(item), sequence);
    if (status === 'done') this.#end = { status, said: '' };
    else if (role === 'host' && (status === 'failed' || status === 'cancelled')) this.#end = { status, said: content };
  }

  #say(text: string, sequence: number): void {
    if (text !== '') this.#listener.text(text, sequence);
  }
}
