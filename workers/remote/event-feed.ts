// The events of one worker of a remote daemon, from one cursor on: a stream that stays open between the pages that are
// asked for. It reads ahead within a bound, and what nobody asks for waits at the other side.
import type { IncomingMessage } from 'node:http';
import type { HostError } from '../../protocol/errors.ts';
import { asHostError } from '../../protocol/errors.ts';
import type { RemoteRow, Shape } from '../../protocol/remote/messages.ts';
import type { WorkerEvent, WorkerEventPage } from '../../protocol/runtime.ts';
import { type Origin, eventOf, resultOf } from './answers.ts';
import { cancelled, ended, late, nonsense } from './failures.ts';
import type { RemoteConnection } from './remote-connection.ts';
import { SentEvents } from './sent-events.ts';

export interface FeedOptions {
  readonly origin: Origin;
  readonly connection: Pick<RemoteConnection, 'open'>;
  /** `worker.events`. */
  readonly row: RemoteRow;
  /** Of one event. */
  readonly shape: Shape;
  /** With the query that begins behind the cursor. */
  readonly path: string;
  readonly workerId: string;
  readonly after: string | undefined;
  /** How long the stream may take to begin. */
  readonly answerMs: number;
  /** Of one event. */
  readonly eventBytes: number;
}

/** What is read ahead. */
const mostEvents = 200;
const mostBytes = 1024 * 1024;
/** A daemon that has nothing to say says so every 15 seconds. */
const silentMs = 45_000;
/** How long a page that need not wait gives what is there already to arrive. */
const settleMs = 100;

export class EventFeed {
  readonly #options: FeedOptions;
  readonly #ending = new AbortController();
  readonly #opened: Promise<void>;
  readonly #events: { readonly event: WorkerEvent; readonly bytes: number }[] = [];
  #bytes = 0;
  #response: IncomingMessage | undefined;
  #silence: NodeJS.Timeout | undefined;
  #failure: HostError | undefined;
  #wake: () => void = () => undefined;
  #position: string | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#position = options.after;
    this.#opened = this.#open();
    // Told to whoever asks for a page.
    this.#opened.catch(() => undefined);
  }

  /** The cursor of the last event that was given out, behind which the next page begins. */
  get position(): string | undefined {
    return this.#position;
  }

  /** Nothing more comes. */
  get over(): boolean {
    return this.#failure !== undefined && this.#events.length === 0;
  }

  /** Rejects with a HostError where there is nothing to give out any more. */
  async page(limit: number, waitMs: number, signal: AbortSignal): Promise<WorkerEventPage> {
    await this.#opened;
    // A page without a cursor begins with a snapshot, which is on its way.
    const { answerMs, origin } = this.#options;
    const patientMs = Math.max(waitMs, this.#position === undefined ? answerMs : settleMs);
    if (this.#events.length === 0 && this.#failure === undefined) await this.#arrival(patientMs, signal);
    if (signal.aborted) throw cancelled(origin.id);
    const given = this.#events.splice(0, limit);
    if (given.length === 0 && this.#failure !== undefined) throw this.#failure;
    for (const { event, bytes } of given) {
      this.#bytes -= bytes;
      if (event.cursor !== null) this.#position = event.cursor;
    }
    if (given.length === 0 && this.#position === undefined) throw late(origin.id, patientMs);
    this.#response?.resume();
    return { events: given.map(({ event }) => event), next: this.#position ?? '', more: this.#events.length > 0 };
  }

  close(): void {
    this.#end(cancelled(this.#options.origin.id));
  }

  async #open(): Promise<void> {
    const { connection, path, row, answerMs, origin } = this.#options;
    try {
      const { signal } = this.#ending;
      const found = await connection.open({ method: 'GET', path, timeoutMs: answerMs, signal });
      if ('text' in found) {
        // A refusal is thrown here; any other whole answer is not a stream.
        resultOf(origin, row, {}, found);
        throw nonsense(origin.id, 'it answered without a stream of events');
      }
      this.#read(found);
    } catch (thrown) {
      const error = asHostError(thrown);
      this.#end(error);
      throw error;
    }
  }

  #read(response: IncomingMessage): void {
    const { origin, shape, eventBytes, workerId } = this.#options;
    this.#response = response;
    const events = new SentEvents(eventBytes, (text) => {
      this.#events.push({ event: eventOf(origin, shape, workerId, text), bytes: text.length });
      this.#bytes += text.length;
    });
    this.#listen();
    response.on('data', (chunk: Buffer) => {
      this.#listen();
      if (this.#failure !== undefined) return;
      try {
        if (!events.take(chunk)) throw nonsense(origin.id, 'an event of it is larger than limits.answerBytes');
      } catch (thrown) {
        this.#end(asHostError(thrown));
      }
      if (this.#events.length >= mostEvents || this.#bytes >= mostBytes) response.pause();
      if (this.#events.length > 0) this.#wake();
    });
    response.once('close', () => this.#end(ended(origin.id)));
  }

  /** Heard of just now. */
  #listen(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      // Nothing is read while nobody asks for a page.
      if (this.#response?.isPaused() === true) this.#listen();
      else this.#end(late(this.#options.origin.id, silentMs));
    }, silentMs);
  }

  #end(failure: HostError): void {
    clearTimeout(this.#silence);
    this.#failure ??= failure;
    this.#ending.abort();
    this.#wake();
  }

  #arrival(waitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#wake = () => undefined;
        resolve();
      };
      const timer = setTimeout(done, waitMs);
      signal.addEventListener('abort', done, { once: true });
      this.#wake = done;
    });
  }
}
