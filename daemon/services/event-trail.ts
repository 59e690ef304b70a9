// What became of a service's newest events, one compact record an attempt: enough to tell the story of any of them, at
// full speed, without washing the timeline out, which is kept for what is exceptional. Records are numbers in typed
// arrays beside rows of ids and heads, so that remembering an event costs a few stores and no object.
import type { EventHead, QueuedEvent } from '../dispatch/queued-event.ts';

export const trailOutcomes = [
  'handled',
  'failed',
  'deadLettered',
  'discarded',
  'timedOut',
  'crashed',
  'threw',
] as const;
export type TrailOutcome = (typeof trailOutcomes)[number];

export interface TrailRecord {
  readonly eventId: string;
  readonly correlationId: string;
  /** Whence and through what it came. */
  readonly head: Pick<EventHead, 'source' | 'ingress' | 'kind'>;
  readonly outcome: TrailOutcome;
  readonly attempt: number;
  readonly incarnation: number;
  /** Both on the clock the cells share. */
  readonly acceptedMs: number;
  readonly atMs: number;
  /** Inside the handler, where it is known: results nobody waits for travel as counts. */
  readonly handlerMs: number | undefined;
}

/** The numbers of the records; undefined at first, since many services get no event at all. */
interface Columns {
  readonly times: Float64Array;
  readonly facts: Int32Array;
}

const timesEach = 3;
const factsEach = 3;
const codes: Readonly<Record<TrailOutcome, number>> = {
  handled: 0,
  failed: 1,
  deadLettered: 2,
  discarded: 3,
  timedOut: 4,
  crashed: 5,
  threw: 6,
};

export class EventTrail {
  readonly #capacity: number;
  readonly #eventIds: string[] = [];
  readonly #correlationIds: string[] = [];
  /** Events of one sender and one moment share one. */
  readonly #heads: EventHead[] = [];
  #columns: Columns | undefined;
  /** Records ever made. */
  #made = 0;
  /** Where the next one goes: a division an event is worth sparing. */
  #place = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Records ever made. */
  get made(): number {
    return this.#made;
  }

  /** Records that newer ones have taken the place of. */
  get forgotten(): number {
    return Math.max(0, this.#made - this.#capacity);
  }

  record(event: QueuedEvent, outcome: TrailOutcome, incarnation: number, atMs: number, handlerMs = NaN): void {
    const { times, facts } = (this.#columns ??= {
      times: new Float64Array(this.#capacity * timesEach),
      facts: new Int32Array(this.#capacity * factsEach),
    });
    const place = this.#place;
    this.#place = place + 1 === this.#capacity ? 0 : place + 1;
    this.#made += 1;
    this.#eventIds[place] = event.eventId;
    this.#correlationIds[place] = event.correlationId;
    this.#heads[place] = event.head;
    const time = place * timesEach;
    times[time] = event.acceptedMs;
    times[time + 1] = atMs;
    times[time + 2] = handlerMs;
    const fact = place * factsEach;
    facts[fact] = codes[outcome];
    facts[fact + 1] = event.attempt;
    facts[fact + 2] = incarnation;
  }

  /** The newest so many, oldest first. */
  newest(count: number): TrailRecord[] {
    const first = Math.max(this.forgotten, this.#made - count);
    return Array.from({ length: this.#made - first }, (_, at) => this.#read(first + at));
  }

  /** Those of the event with this id, and of all that were sent under it as their correlation id, oldest first. */
  of(id: string): TrailRecord[] {
    const found: TrailRecord[] = [];
    for (let at = this.forgotten; at < this.#made; at += 1) {
      const place = at % this.#capacity;
      if (this.#eventIds[place] === id || this.#correlationIds[place] === id) found.push(this.#read(at));
    }
    return found;
  }

  #read(made: number): TrailRecord {
    const place = made % this.#capacity;
    const [acceptedMs = 0, atMs = 0, handlerMs = NaN] = this.#columns?.times.subarray(place * timesEach) ?? [];
    const [code = 0, attempt = 0, incarnation = 0] = this.#columns?.facts.subarray(place * factsEach) ?? [];
    const outcome = trailOutcomes[code] ?? 'handled';
    return {
      eventId: this.#eventIds[place] ?? '',
      correlationId: this.#correlationIds[place] ?? '',
      head: this.#heads[place] ?? { source: '', ingress: '', kind: '' },
      outcome,
      attempt,
      incarnation,
      acceptedMs,
      atMs,
      handlerMs: Number.isNaN(handlerMs) ? undefined : handlerMs,
    };
  }
}
