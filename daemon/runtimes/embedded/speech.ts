// What a worker says to one input: pieces that go out as they come and stand together as one item of the transcript.
// Bounded: beyond it the rest is dropped, and the item says that it is not whole.
import type { TranscriptItem } from '../../../protocol/runtime.ts';
import type { Limits } from '../../config/schema.ts';
import type { Transcript } from './transcript.ts';
import type { WorkerEvents } from './worker-events.ts';

export interface SpeechOptions {
  readonly eventId: string;
  readonly limits: Pick<Limits, 'workerSayBytes'>;
  readonly transcript: Transcript;
  now(): string;
  publish: WorkerEvents['publish'];
}

export class Speech {
  readonly #options: SpeechOptions;
  #sequence: number | undefined;
  #bytes = 0;
  #length = 0;
  #truncated = false;

  constructor(options: SpeechOptions) {
    this.#options = options;
  }

  /** Of its item, once something was said. */
  get sequence(): number | undefined {
    return this.#sequence;
  }

  say(text: string): void {
    const { limits, transcript, publish } = this.#options;
    // What fitted after a gap would read as if nothing were missing.
    if (this.#truncated) return;
    const kept = beginning(text, limits.workerSayBytes - this.#bytes);
    if (kept.length < text.length) this.#truncated = true;
    if (kept === '') return;
    const sequence = this.#sequence ?? this.#open();
    transcript.extend(sequence, kept);
    publish({ type: 'output', sequence, offset: this.#length, text: kept });
    this.#bytes += Buffer.byteLength(kept);
    this.#length += kept.length;
  }

  /** Its item as it will stand when it is closed; undefined where nothing was said, or the item is gone by now. */
  whole(status: 'done' | 'partial'): TranscriptItem | undefined {
    const item = this.#sequence === undefined ? undefined : this.#options.transcript.item(this.#sequence);
    return item === undefined ? undefined : { ...item, status, ...(this.#truncated ? { truncated: true } : {}) };
  }

  /** Nothing more is said; where nothing was, there is no item. */
  close(status: 'done' | 'partial'): void {
    if (this.#sequence === undefined) return;
    this.#options.transcript.finish(this.#sequence, status, this.#truncated);
    this.#options.publish({ type: 'end', sequence: this.#sequence, status, truncated: this.#truncated });
  }

  #open(): number {
    const { transcript, eventId, now, publish } = this.#options;
    const createdAt = now();
    const item = transcript.commit({ role: 'worker', content: '', eventId, createdAt, status: 'streaming' });
    publish({ type: 'item', item });
    this.#sequence = item.sequence;
    return item.sequence;
  }
}

/** As much of a text as has room in so many bytes, in whole characters. */
function beginning(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  if (bytes <= 0) return '';
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.from(text).subarray(0, bytes), { stream: true });
}
