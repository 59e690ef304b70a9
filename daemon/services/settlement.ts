// Gives events their outcome once what they changed in the store is committed.
//
// An event may have *effects*: changes of the store (its service's state, outgoing commands) that are to happen if and
// only if it was handled. `Outcomes.handled` takes them as its last argument and hands them to `settle`. They are
// committed in one transaction with the acknowledgement of a durable service's event, and alone for an event that is
// not stored. Until then the event has no outcome: it is counted as open and its caller is not answered, and neither
// are those behind it, because they ran on what it had changed. If the commit fails, the incarnation is ended
// (`failed`), and that event and all behind it come again, from the committed state.
//
// Whoever keeps a copy of what the effects change (the state of a service) takes them over in `committed`, and throws
// away what was not committed when the incarnation ends.
import type { Change } from '../../protocol/store/change.ts';
import { type HostError, asHostError } from '../../protocol/errors.ts';
import type { QueuedEvent } from '../dispatch/queued-event.ts';

export type Effects = readonly Change[];

/** Of an event that changes nothing in the store. */
export const noEffects: Effects = [];

export interface SettlementDeps {
  /** In one transaction with the end of the event. Rejects only where none of it took effect. */
  commit(event: QueuedEvent, effects: Effects): Promise<void>;
  /** Nothing else of this incarnation is settled any more: it must be ended. `again` is told by `takeAgain`. */
  failed(incarnation: number, error: HostError): void;
  /** So many events wait for the disk that no more are to begin; or fewer again. */
  pause(paused: boolean): void;
}

interface Entry {
  readonly event: QueuedEvent;
  readonly incarnation: number;
  readonly conclude: () => void;
  readonly dropped: () => void;
  committed: boolean;
}

const nothing = (): void => {};

/** Handled events that may wait for the disk. */
const mostWaiting = 1024;

export class Settlement {
  readonly #deps: SettlementDeps;
  /** In the order in which they were handled; the first waits for its commit. */
  #line: Entry[] = [];
  /** The incarnation whose effects could not be committed, and what of it comes again. */
  #broken: { readonly incarnation: number; readonly again: QueuedEvent[] } | undefined;
  #paused = false;
  readonly #whenEmpty: (() => void)[] = [];

  constructor(deps: SettlementDeps) {
    this.#deps = deps;
  }

  /** Events that were handled and have no outcome yet. They are neither queued nor in flight. */
  get waiting(): number {
    return this.#line.length + (this.#broken?.again.length ?? 0);
  }

  /** Resolves when no event waits for the disk: what is committed is then all there is. */
  empty(): Promise<void> {
    if (this.#line.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }

  /**
   * `conclude` counts the outcome and answers whoever waits: at once where there is nothing to wait for. `dropped` is
   * called in its place where the event comes again.
   */
  settle(
    event: QueuedEvent,
    incarnation: number,
    effects: Effects,
    conclude: () => void,
    dropped: () => void = nothing,
  ): void {
    if (this.#broken?.incarnation === incarnation) {
      this.#broken.again.push(event);
      dropped();
      return;
    }
    if (effects.length === 0 && this.#line.length === 0) {
      conclude();
      return;
    }
    const entry: Entry = { event, incarnation, conclude, dropped, committed: effects.length === 0 };
    this.#line.push(entry);
    this.#pauseWhereLong();
    if (entry.committed) return;
    this.#deps.commit(event, effects).then(
      () => {
        entry.committed = true;
        this.#advance();
      },
      (thrown: unknown) => this.#fail(incarnation, asHostError(thrown)),
    );
  }

  /** What comes again of an incarnation that has ended, in order. It goes back to the front of the queue. */
  takeAgain(incarnation: number): readonly QueuedEvent[] {
    if (this.#broken?.incarnation !== incarnation) return [];
    const { again } = this.#broken;
    this.#broken = undefined;
    return again;
  }

  #advance(): void {
    while (this.#line[0]?.committed === true) this.#line.shift()?.conclude();
    this.#pauseWhereLong();
  }

  #fail(incarnation: number, error: HostError): void {
    if (this.#broken !== undefined) return;
    const lost = this.#line.filter((entry) => entry.incarnation === incarnation);
    this.#line = this.#line.filter((entry) => entry.incarnation !== incarnation);
    this.#broken = { incarnation, again: lost.map(({ event }) => event) };
    for (const { dropped } of lost) dropped();
    this.#advance();
    this.#deps.failed(incarnation, error);
  }

  #pauseWhereLong(): void {
    if (this.#line.length === 0) for (const empty of this.#whenEmpty.splice(0)) empty();
    const long = this.#line.length >= (this.#paused ? mostWaiting / 2 : mostWaiting);
    if (long === this.#paused) return;
    this.#paused = long;
    this.#deps.pause(long);
  }
}
