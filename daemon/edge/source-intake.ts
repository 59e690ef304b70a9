// Hands an event of a source to its service, and answers what became of it. What was accepted under an id of the
// sender's is answered from memory when it comes again.
import { createHash } from 'node:crypto';
import { HostError, type WireError, asHostError } from '../../protocol/errors.ts';
import type { Lifecycle } from '../../protocol/status.ts';
import type { OutputJson } from '../../protocol/cell/messages.ts';
import { ReadEvent } from '../dispatch/read-event.ts';

/** What of a service it needs. */
export interface SourceService {
  readonly lifecycle: Lifecycle;
  /** An event that arrives now is queued. */
  readonly acceptsEvents: boolean;
  /** Of the members that share the service, this one has the sources that would bring the same to each. */
  readonly subscribes: boolean;
  /** Where the members of a cluster keep up to where the runs of its schedules are made. */
  readonly runs?:
    | {
        lastRun(source: string, when: string): number | undefined;
        ran(source: string, when: string, atMs: number): void;
      }
    | undefined;
  publish(raw: unknown): Accepted | Promise<Accepted>;
  /** Undefined: there is no room. Throws what it refuses. */
  tryPublish(raw: unknown): Accepted | Promise<Accepted | Refused> | undefined;
  /** Calls when there may be room, or events are not taken any more; answers how to stop that. */
  awaitRoom(waiting: () => boolean): () => void;
  deliverTo(raw: unknown, timeoutMs: number, waiter: OutputWaiter): void;
}

interface Accepted {
  readonly eventId: string;
  readonly correlationId: string;
  /** It was accepted before, also by an earlier daemon. */
  readonly duplicate?: true;
}

interface Refused {
  readonly accepted: false;
  readonly error: WireError;
}

interface OutputWaiter {
  handled(outcome: { readonly json: OutputJson }): void;
  refused(error: HostError): void;
}

export interface IncomingEvent {
  readonly ingress: string;
  readonly kind: string;
  readonly source: string;
  /** JSON. */
  readonly payload: string;
  readonly senderId?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly orderKey?: string | undefined;
  readonly outputMs?: number | undefined;
  /** It waits for room in a full queue. */
  readonly patient?: boolean | undefined;
}

export type IntakeOutcome =
  | {
      readonly outcome: 'accepted';
      readonly correlationId: string;
      readonly eventId: string;
      readonly duplicate: boolean;
    }
  | { readonly outcome: 'output'; readonly json: OutputJson }
  | { readonly outcome: 'refused'; readonly error: HostError };

/** Of each source. */
const keptIds = 10_000;

export class SourceIntake {
  readonly #source: string;
  /** By the sender's id, with what was accepted under it or is just being accepted. */
  readonly #ids = new Map<string, Promise<Accepted>>();

  constructor(source: string) {
    this.#source = source;
  }

  async take(service: SourceService, event: IncomingEvent): Promise<IntakeOutcome> {
    const { senderId } = event;
    try {
      const known = senderId === undefined ? undefined : this.#ids.get(senderId);
      if (known !== undefined) return { outcome: 'accepted', ...(await known), duplicate: true };
      if (event.outputMs !== undefined) return await this.#deliver(service, event, event.outputMs);
      const accepting = this.#remembered(senderId, () => {
        const read = readEvent(event, this.#idempotencyKey(senderId));
        return event.patient === true ? publishWhereRoom(service, read) : service.publish(read);
      });
      const { eventId, correlationId, duplicate = false } = await accepting;
      return { outcome: 'accepted', eventId, correlationId, duplicate };
    } catch (thrown) {
      return { outcome: 'refused', error: asHostError(thrown) };
    }
  }

  /** So that it is accepted once over restarts of the daemon too. Another source may know the same id. */
  #idempotencyKey(senderId: string | undefined): string | undefined {
    if (senderId === undefined) return undefined;
    return `sha256:${createHash('sha256').update(`${this.#source} ${senderId}`).digest('hex')}`;
  }

  /** A refusal leaves nothing behind: the same event may be accepted later. */
  async #remembered(id: string | undefined, accept: () => Accepted | Promise<Accepted>): Promise<Accepted> {
    if (id === undefined) return await accept();
    const accepting = Promise.resolve().then(accept);
    this.#ids.set(id, accepting);
    const [oldest] = this.#ids.keys();
    if (this.#ids.size > keptIds && oldest !== undefined) this.#ids.delete(oldest);
    try {
      return await accepting;
    } catch (thrown) {
      if (this.#ids.get(id) === accepting) this.#ids.delete(id);
      throw thrown;
    }
  }

  #deliver(service: SourceService, event: IncomingEvent, withinMs: number): Promise<IntakeOutcome> {
    return new Promise((resolve) => {
      service.deliverTo(readEvent(event), withinMs, {
        // A copy: what the cell made lies in memory that it uses again.
        handled: ({ json }) =>
          resolve({ outcome: 'output', json: typeof json === 'string' ? json : new Uint8Array(json) }),
        refused: (error) => resolve({ outcome: 'refused', error }),
      });
    });
  }
}

/** Whoever sent it sends nothing more until it is accepted, so that no more wait than there are sources. */
function publishWhereRoom(service: SourceService, event: ReadEvent): Accepted | Promise<Accepted> {
  const accepted = service.tryPublish(event);
  if (accepted !== undefined) return acceptedOrThrown(accepted);
  return new Promise((resolve, reject) => {
    const stopWaiting = service.awaitRoom(() => {
      try {
        const found = service.tryPublish(event);
        if (found === undefined) return false;
        resolve(acceptedOrThrown(found));
      } catch (thrown) {
        reject(asHostError(thrown));
      }
      stopWaiting();
      return true;
    });
  });
}

async function acceptedOrThrown(found: Accepted | Promise<Accepted | Refused>): Promise<Accepted> {
  const answer = await found;
  if ('error' in answer) throw new HostError(answer.error.code, answer.error.message, answer.error.details);
  return answer;
}

const readEvent = (
  { ingress, kind, source, payload, correlationId, orderKey }: IncomingEvent,
  idempotencyKey?: string,
): ReadEvent => new ReadEvent({ ingress, kind, source, correlationId, idempotencyKey, key: orderKey }, payload);
