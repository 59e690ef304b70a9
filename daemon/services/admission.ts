// Decides whether what arrived is an event of this service, and turns it into what the queue keeps. Every refusal
// names the field and what would be right.
import type { AttemptStory } from '../../protocol/dead-letter.ts';
import { HostError, type Issue, asHostError, invalid } from '../../protocol/errors.ts';
import { ingressEventInput } from '../../protocol/event.ts';
import { nearest, parseOr } from '../../protocol/issues.ts';
import type { ServiceSection } from '../../protocol/manifest.ts';
import { uuidv7 } from '../../protocol/uuid.ts';
import type { Clock } from '../time/clock.ts';
import { EventHeads } from './event-heads.ts';
import { type PlainEvent, isCorrelationId, isSource, plainEvent } from './plain-event.ts';
import { type EventHead, type QueuedEvent, eventBytes } from '../dispatch/queued-event.ts';
import { ReadEvent } from '../dispatch/read-event.ts';

/** Nothing has happened to a new event. */
const noStory: QueuedEvent['story'] = [];

/** More than stands around a payload: near the bound the text is written again, so that no space in it counts. */
const mostFrameBytes = 1024;

interface Parts {
  readonly head: EventHead;
  readonly payload: string;
  readonly payloadBytes: number;
  readonly correlationId: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly key?: string | undefined;
}

/** What the host knows of an event beside what its sender says. */
export interface AdmittedWith extends Pick<QueuedEvent, 'waiter' | 'replayOf' | 'hops' | 'origin' | 'partition'> {
  /** Of an event that another member has accepted. */
  readonly eventId?: string;
  readonly createdAt?: string;
  /** Attempts that failed elsewhere. */
  readonly story?: readonly AttemptStory[];
  readonly attempt?: number;
}

/** Set by the host alone. */
const hostsOwn = ['attempt', 'eventId'] as const;

export class Admission {
  readonly #kinds: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #eventBytes: number;
  readonly #clock: Clock;
  readonly #heads: EventHeads;
  readonly #declares = (ingress: string, kind: string): boolean => this.#kinds.get(ingress)?.has(kind) === true;

  constructor(ingresses: ServiceSection['ingresses'], eventBytes: number, clock: Clock) {
    this.#kinds = new Map(ingresses.map(({ name, kinds }) => [name, new Set(kinds)]));
    this.#eventBytes = eventBytes;
    this.#clock = clock;
    this.#heads = new EventHeads(clock);
  }

  admit(raw: unknown, more: AdmittedWith = {}): QueuedEvent {
    const parts = raw instanceof ReadEvent ? this.#read(raw, more.createdAt) : this.#checked(raw);
    const event = this.#queued(parts, more);
    if (event.bytes > this.#eventBytes) throw this.#tooLarge(event.bytes);
    return event;
  }

  /** One that was accepted elsewhere; with a fault, it can only become a dead letter. */
  arrived(event: ReadEvent, more: AdmittedWith): { readonly event: QueuedEvent; readonly fault?: HostError } {
    try {
      return { event: this.admit(event, more) };
    } catch (thrown) {
      return { event: this.#unfit(event, more), fault: asHostError(thrown) };
    }
  }

  #unfit({ ingress, kind, source, payload, payloadBytes, correlationId }: ReadEvent, more: AdmittedWith): QueuedEvent {
    const head = this.#heads.of(ingress, kind, source, more.createdAt);
    return this.#queued({ head, payload, payloadBytes, correlationId, idempotencyKey: undefined }, more);
  }

  #queued(
    { head, payload, payloadBytes, correlationId: given, idempotencyKey, key }: Parts,
    more: AdmittedWith,
  ): QueuedEvent {
    const eventId = more.eventId ?? uuidv7();
    const correlationId = given ?? eventId;
    const story = more.story ?? noStory;
    // Always the same members in the same order: what reads them is then fast.
    return {
      head,
      payload,
      eventId,
      correlationId,
      attempt: more.attempt ?? (story.at(-1)?.attempt ?? 0) + 1,
      bytes: eventBytes(head, payloadBytes, { eventId, correlationId }),
      acceptedMs: this.#clock.monotonicMs(),
      waiter: more.waiter,
      story,
      replayOf: more.replayOf,
      hops: more.hops,
      place: undefined,
      idempotencyKey,
      origin: more.origin,
      key,
      partition: more.partition,
    };
  }

  /** As it came, where nothing is wrong with it; else it is looked at like any other. */
  #read(event: ReadEvent, createdAt: string | undefined): Parts {
    const { ingress, kind, source, payload, payloadBytes, correlationId, idempotencyKey, key } = event;
    if (
      !this.#declares(ingress, kind) ||
      !isSource(source) ||
      !isCorrelationId(correlationId) ||
      !isCorrelationId(idempotencyKey) ||
      !isCorrelationId(key) ||
      payloadBytes > this.#eventBytes - mostFrameBytes
    )
      return this.#checked(event.whole());
    const head = this.#heads.of(ingress, kind, source, createdAt);
    return { head, payload, payloadBytes, correlationId, idempotencyKey, key };
  }

  #checked(raw: unknown): Parts {
    const plain = plainEvent(raw, this.#declares);
    if (plain !== undefined) return this.#parts(plain);
    const forbidden = hostsOwn.filter((name) => typeof raw === 'object' && raw !== null && name in raw);
    if (forbidden.length > 0)
      throw invalid(
        'invalid_event',
        'The event',
        forbidden.map((path) => ({ path, message: 'is set by the host alone: leave it out' })),
      );
    const event = parseOr(ingressEventInput, raw, 'invalid_event', 'The event');
    const issue = this.#undeclared(event.ingress, event.kind);
    if (issue !== undefined) throw invalid('invalid_event', 'The event', [issue]);
    return this.#parts(event);
  }

  #parts(
    event: Partial<PlainEvent> &
      Pick<PlainEvent, 'ingress' | 'kind' | 'source'> & { readonly createdAt?: string | undefined },
  ): Parts {
    const { ingress, kind, source, createdAt, correlationId, idempotencyKey, key } = event;
    const payload = payloadText(event.payload);
    return {
      head: this.#heads.of(ingress, kind, source, createdAt),
      payload,
      payloadBytes: Buffer.byteLength(payload),
      correlationId,
      idempotencyKey,
      key,
    };
  }

  #undeclared(ingress: string, kind: string): Issue | undefined {
    const kinds = this.#kinds.get(ingress);
    if (kinds === undefined) return undeclared('ingress', ingress, [...this.#kinds.keys()]);
    return kinds.has(kind) ? undefined : undeclared('kind', kind, [...kinds]);
  }

  #tooLarge(bytes: number): HostError {
    const issue: Issue = {
      path: 'payload',
      message: `too large: the event has ${String(bytes)} bytes of JSON, at most ${String(this.#eventBytes)} are allowed; limits.eventBytes sets this bound`,
    };
    return new HostError('invalid_event', `The event is not valid: payload: ${issue.message}.`, {
      issues: [issue],
      limit: 'limits.eventBytes',
      maximum: this.#eventBytes,
      bytes,
    });
  }
}

function payloadText(payload: unknown): string {
  try {
    return JSON.stringify(payload ?? null);
  } catch {
    // Only nesting beyond the stack can fail here: what arrived was JSON.
    throw invalid('invalid_event', 'The event', [{ path: 'payload', message: 'nested too deeply' }]);
  }
}

function undeclared(path: 'ingress' | 'kind', name: string, known: readonly string[]): Issue {
  const meant = nearest(name, known);
  const hint = meant === undefined ? `declared are ${known.join(', ')}` : `did you mean "${meant}"?`;
  return { path, message: `the service declares no ${path} "${name}"; ${hint}` };
}
