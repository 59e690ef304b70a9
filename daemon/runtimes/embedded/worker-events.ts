// What happens to one worker, kept for those who watch it: one bounded backlog in which every reader has a place, so
// that a slow reader costs nothing and holds nobody up.
import { HostError } from '../../../protocol/errors.ts';
import type { TranscriptItem, WorkerEvent, WorkerEventPage, WorkerView } from '../../../protocol/runtime.ts';
import { plural } from '../../../protocol/plural.ts';
import type { Clock } from '../../time/clock.ts';
import type { Limits } from '../../config/schema.ts';
import { Ring } from '../../telemetry/ring.ts';
import { type Backlog, EventReader } from './event-reader.ts';
import type { EventsRequest, WorkerListener, WorkerSubscription } from '../runtime.ts';

/** An event before it has its place in time and order. */
type Happening<Event extends WorkerEvent = WorkerEvent> = Event extends { type: 'snapshot' | 'diagnostic' }
  ? never
  : Omit<Event, 'at' | 'cursor'>;

export interface WorkerEventsOptions {
  readonly clock: Pick<Clock, 'wallMs' | 'after'>;
  readonly limits: Pick<Limits, 'workerEvents' | 'workerEventBytes' | 'workerReaders'>;
  /** A cursor holds it: one of another worker is known by it. */
  readonly life: string;
  /** The number of the last event that an earlier daemon may have told. */
  readonly last: number;
  snapshot(): { readonly worker: WorkerView; readonly items: TranscriptItem[] };
}

/** Beside its text. */
const eventOverheadBytes = 200;
/** Of one page; at least one event is always given. */
const pageBytes = 1024 * 1024;

const textOf = (event: WorkerEvent): string =>
  event.type === 'output' ? event.text : event.type === 'item' ? event.item.content : '';
const bytesOf = (event: WorkerEvent): number => eventOverheadBytes + Buffer.byteLength(textOf(event));

export class WorkerEvents implements Backlog {
  readonly #options: WorkerEventsOptions;
  readonly #life: string;
  readonly #kept: Ring<{ readonly event: WorkerEvent; readonly bytes: number }>;
  readonly #watchers = new Set<Watcher>();
  #last = 0;
  #bytes = 0;
  #closed = false;

  constructor(options: WorkerEventsOptions) {
    this.#options = options;
    this.#life = options.life;
    this.#last = options.last;
    this.#kept = new Ring(options.limits.workerEvents);
  }

  get first(): number {
    return this.#last - this.#kept.size + 1;
  }

  get last(): number {
    return this.#last;
  }

  at(number: number): WorkerEvent | undefined {
    return number < this.first ? undefined : this.#kept.slice(number - this.first, 1)[0]?.event;
  }

  snapshot(): WorkerEvent {
    return { type: 'snapshot', at: this.now(), cursor: this.cursorOf(this.#last), ...this.#options.snapshot() };
  }

  now(): string {
    return new Date(this.#options.clock.wallMs()).toISOString();
  }

  cursorOf(number: number): string {
    return Buffer.from(`${this.#life}.${number.toString(36)}`).toString('base64url');
  }

  numberOf(cursor: string): number | undefined {
    const [life, place, ...rest] = Buffer.from(cursor, 'base64url').toString('latin1').split('.');
    if (life !== this.#life || place === undefined || rest.length > 0 || !/^[0-9a-z]{1,10}$/.test(place))
      return undefined;
    const number = Number.parseInt(place, 36);
    return number <= this.#last ? number : undefined;
  }

  publish(happening: Happening): void {
    this.#last += 1;
    // Spread over a union the compiler no longer knows which member it is; the members differ in what was given alone.
    const event = { ...happening, at: this.now(), cursor: this.cursorOf(this.#last) } as WorkerEvent;
    const bytes = bytesOf(event);
    this.#bytes += bytes - (this.#kept.push({ event, bytes })?.bytes ?? 0);
    while (this.#bytes > this.#options.limits.workerEventBytes) this.#bytes -= this.#kept.shift()?.bytes ?? this.#bytes;
    for (const watcher of [...this.#watchers]) watcher.happened();
  }

  subscribe({ after, push, ended }: WorkerListener): WorkerSubscription {
    const watcher = this.#watch({ happened: () => flow.go(), ended: () => ended?.() });
    const close = (): void => void this.#watchers.delete(watcher);
    const flow = new Flow(
      new EventReader(this, after),
      push,
      () => this.#watchers.has(watcher),
      () => {
        close();
        ended?.();
      },
    );
    flow.go();
    // Whoever comes after the end must not wait for what cannot come.
    if (this.#closed) ended?.();
    return { resume: () => flow.resume(), close };
  }

  async page({ after, limit, waitMs, signal }: EventsRequest): Promise<WorkerEventPage> {
    const reader = new EventReader(this, after);
    if (!reader.hasNext && waitMs > 0) await this.#happening(waitMs, signal);
    const events: WorkerEvent[] = [];
    let bytes = 0;
    const take = (event: WorkerEvent): boolean => {
      bytes += bytesOf(event);
      events.push(event);
      return true;
    };
    while (((events.length < limit && bytes < pageBytes) || reader.owesSnapshot) && reader.offer(take));
    return { events, next: reader.cursor, more: reader.hasNext };
  }

  /** Nobody is told anything any more. */
  close(): void {
    this.#closed = true;
    for (const watcher of [...this.#watchers]) watcher.ended();
    this.#watchers.clear();
  }

  #watch(watcher: Watcher): Watcher {
    const maximum = this.#options.limits.workerReaders;
    if (this.#watchers.size >= maximum) {
      throw new HostError(
        'too_many_requests',
        `This worker is watched by ${plural(maximum, 'reader')}, which is the limit. Raise limits.workerReaders to allow more.`,
        { limit: 'limits.workerReaders', maximum },
      );
    }
    if (!this.#closed) this.#watchers.add(watcher);
    return watcher;
  }

  #happening(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', done);
        this.#watchers.delete(watcher);
        resolve();
      };
      const watcher = this.#watch({ happened: done, ended: done });
      const timer = this.#options.clock.after(this.#closed ? 0 : waitMs, done);
      signal?.addEventListener('abort', done);
      if (signal?.aborted === true) done();
    });
  }
}

interface Watcher {
  happened(): void;
  ended(): void;
}

/** Events on their way to one listener, as long as it takes them. */
class Flow {
  readonly #reader: EventReader;
  readonly #push: (event: WorkerEvent) => boolean;
  readonly #open: () => boolean;
  readonly #failed: () => void;
  #running = false;
  /** It did not take the last one. Until it asks, offering it again with each event would only cost the host. */
  #refused = false;

  constructor(reader: EventReader, push: (event: WorkerEvent) => boolean, open: () => boolean, failed: () => void) {
    this.#reader = reader;
    this.#push = push;
    this.#open = open;
    this.#failed = failed;
  }

  resume(): void {
    this.#refused = false;
    this.go();
  }

  /** A push may itself lead here again: the loop that already runs takes care of it, in order. */
  go(): void {
    if (this.#running) return;
    this.#running = true;
    try {
      while (!this.#refused && this.#open() && this.#reader.offer((event) => this.#taken(event)));
    } catch {
      // The fault is the listener's; neither the worker nor its other listeners may feel it.
      this.#failed();
    } finally {
      this.#running = false;
    }
  }

  #taken(event: WorkerEvent): boolean {
    this.#refused = !this.#push(event);
    return !this.#refused;
  }
}
