// Decides whether what arrived is an event of this service, and turns it into what the queue keeps. Every refusal
// names the field and what would be right.
import { HostError, type Issue, invalid } from '../../protocol/errors.ts';
import { ingressEventInput } from '../../protocol/event.ts';
import { invalidBy, nearest } from '../../protocol/issues.ts';
import type { ServiceSection } from '../../protocol/manifest.ts';
import { uuidv7 } from '../../protocol/uuid.ts';
import type { Clock } from '../clock.ts';
import { EventText, type TextParts } from './event-text.ts';
import { plainEvent } from './plain-event.ts';
import type { QueuedEvent } from './queued-event.ts';

/** Nothing has happened to a new event. */
const noStory: QueuedEvent['story'] = [];

export class Admission {
  readonly #kinds: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #eventBytes: number;
  readonly #clock: Clock;
  readonly #text: EventText;
  readonly #declares = (ingress: string, kind: string): boolean => this.#kinds.get(ingress)?.has(kind) === true;

  constructor(ingresses: ServiceSection['ingresses'], eventBytes: number, clock: Clock) {
    this.#kinds = new Map(ingresses.map(({ name, kinds }) => [name, new Set(kinds)]));
    this.#eventBytes = eventBytes;
    this.#clock = clock;
    this.#text = new EventText(clock);
  }

  admit(raw: unknown, more: Pick<QueuedEvent, 'waiter' | 'replayOf'> = {}): QueuedEvent {
    const parts = this.#checked(raw);
    const json = this.#textOf(parts);
    const bytes = Buffer.byteLength(json);
    if (bytes > this.#eventBytes) throw this.#tooLarge(bytes);
    const { correlationId, attempt } = parts;
    // Always the same members in the same order: what reads them is then fast.
    return { correlationId, attempt, json, bytes, acceptedMs: this.#clock.monotonicMs(), waiter: more.waiter, story: noStory, replayOf: more.replayOf };
  }

  #checked(raw: unknown): TextParts {
    const plain = plainEvent(raw, this.#declares);
    if (plain !== undefined) {
      const { ingress, kind, source, payload, correlationId = uuidv7() } = plain;
      return { ingress, kind, source, payload, createdAt: undefined, attempt: 1, correlationId };
    }
    const parsed = ingressEventInput.safeParse(raw);
    if (!parsed.success) throw invalidBy(parsed.error, ingressEventInput, 'invalid_event', 'The event');
    const { ingress, kind, source, attempt, payload, correlationId = uuidv7(), createdAt } = parsed.data;
    const issue = this.#undeclared(ingress, kind);
    if (issue !== undefined) throw invalid('invalid_event', 'The event', [issue]);
    return { ingress, kind, source, payload, createdAt, attempt, correlationId };
  }

  #textOf(parts: TextParts): string {
    try {
      return this.#text.of(parts);
    } catch {
      // Only nesting beyond the stack can fail here: what arrived was JSON.
      throw invalid('invalid_event', 'The event', [{ path: 'payload', message: 'nested too deeply' }]);
    }
  }

  #undeclared(ingress: string, kind: string): Issue | undefined {
    const kinds = this.#kinds.get(ingress);
    if (kinds === undefined) return undeclared('ingress', ingress, [...this.#kinds.keys()]);
    return kinds.has(kind) ? undefined : undeclared('kind', kind, [...kinds]);
  }

  #tooLarge(bytes: number): HostError {
    const issue: Issue = { path: 'payload', message: `too large: the event has ${String(bytes)} bytes of JSON, at most ${String(this.#eventBytes)} are allowed` };
    return new HostError('invalid_event', `The event is not valid: payload: ${issue.message}.`, { issues: [issue], limit: 'limits.eventBytes', maximum: this.#eventBytes, bytes });
  }
}

function undeclared(path: 'ingress' | 'kind', name: string, known: readonly string[]): Issue {
  const meant = nearest(name, known);
  const hint = meant === undefined ? `declared are ${known.join(', ')}` : `did you mean "${meant}"?`;
  return { path, message: `the service declares no ${path} "${name}"; ${hint}` };
}
