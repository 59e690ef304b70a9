// What happened to one plugin, in order: the newest entries, numbered without a gap so that a reader who comes back
// knows what it missed. Every text is bounded here, since much of it is the plugin's own.
import type { TimelineEntry } from '../../protocol/operations/telemetry.ts';
import type { Clock } from '../time/clock.ts';
import { Ring } from './ring.ts';

const maxMessage = 1000;
const maxName = 128;
/** Of an entry's data, as JSON. */
const maxData = 4096;
const maxDataText = 500;

export interface TimelineOptions {
  readonly capacity: number;
  readonly clock: Pick<Clock, 'wallMs'>;
  /** The sequence of its first entry: those before it are an earlier daemon's. */
  readonly begunAt?: number;
}

export interface TimelinePage {
  /** Oldest first. */
  readonly entries: TimelineEntry[];
  /** Of the oldest entry that is kept: what lies between it and `after` is gone. */
  readonly firstSequence: number;
  /** What the next entry to happen will have: there is more as long as the page ends before it. */
  readonly nextSequence: number;
}

export class Timeline {
  readonly #options: TimelineOptions;
  readonly #entries: Ring<TimelineEntry>;
  #nextSequence: number;

  constructor(options: TimelineOptions) {
    this.#options = options;
    this.#nextSequence = options.begunAt ?? 1;
    this.#entries = new Ring(options.capacity);
  }

  record(happened: Omit<TimelineEntry, 'sequence' | 'at'>): TimelineEntry {
    const entry: TimelineEntry = {
      at: new Date(this.#options.clock.wallMs()).toISOString(),
      level: happened.level,
      event: cut(happened.event, maxName),
      message: cut(happened.message, maxMessage),
      incarnation: happened.incarnation,
      ...(happened.eventId === undefined ? {} : { eventId: cut(happened.eventId, maxName) }),
      ...(happened.correlationId === undefined ? {} : { correlationId: cut(happened.correlationId, maxName) }),
      sequence: this.#nextSequence,
      ...(happened.data === undefined ? {} : { data: boundedData(happened.data) }),
    };
    this.#nextSequence += 1;
    this.#entries.push(entry);
    return entry;
  }

  /** The entries after this sequence, at most so many. */
  read(after: number, limit: number): TimelinePage {
    const firstSequence = this.#nextSequence - this.#entries.size;
    const entries = this.#entries.slice(Math.max(0, after + 1 - firstSequence), limit);
    return { entries, firstSequence, nextSequence: this.#nextSequence };
  }

  /** The newest that speak of an event with this id or correlation id, oldest first. */
  about(id: string, count: number): TimelineEntry[] {
    return this.#entries
      .newest(this.#entries.size)
      .filter((entry) => isAbout(entry, id))
      .slice(-count);
  }

  newest(count: number): TimelineEntry[] {
    return this.#entries.newest(count);
  }
}

export const isAbout = ({ eventId, correlationId, data }: TimelineEntry, id: string): boolean =>
  [eventId, correlationId, data?.['eventId'], data?.['correlationId']].includes(id);

const cut = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length)}… (cut)` : text);

/** A copy of its own, as it will stand on the wire: of too much only the plain values are kept, and those cut. */
function boundedData(data: Readonly<Record<string, unknown>>): Record<string, unknown> {
  let json: string;
  try {
    json = JSON.stringify(data);
  } catch {
    // Circular, a BigInt or a getter that throws: the entry's message still tells what happened.
    return { unreadable: true };
  }
  // What JSON.stringify made of an object is one again; a toJSON of its own is nobody's here.
  if (json.length <= maxData) return JSON.parse(json) as Record<string, unknown>;
  const kept: Record<string, unknown> = { cutFrom: json.length };
  let room = maxData;
  for (const [name, value] of Object.entries(data)) {
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') continue;
    const short = typeof value === 'string' ? cut(value, maxDataText) : value;
    room -= name.length + String(short).length;
    if (room < 0) break;
    kept[name] = short;
  }
  return kept;
}
