// What is wrong with the store and what was done about it: told to the operator once when it begins and once when it is
// over, and kept for the status.
import type { Repair, StoreFault } from '../../protocol/store/messages.ts';
import type { Clock } from '../time/clock.ts';

export type TellStore = (level: 'info' | 'warn' | 'error', message: string) => void;

/** The same fault that is there again within this is not told again. */
const tellAgainMs = 10_000;
/** Older ones are forgotten. */
const shownRepairs = 20;

const levelOf = {
  put_aside: 'error',
  journal_lost: 'error',
  notes_restarted: 'warn',
  reopened: 'warn',
  migrated: 'info',
} as const satisfies Record<Repair['kind'], 'info' | 'warn' | 'error'>;

export class StoreTrouble {
  readonly #clock: Clock;
  readonly #tell: TellStore;
  #fault: StoreFault | undefined;
  #sinceMs = 0;
  #told: { readonly reason: StoreFault['reason']; readonly atMs: number } | undefined;
  #isQuiet = false;
  #repairs: readonly Repair[] = [];

  constructor(clock: Clock, tell: TellStore) {
    this.#clock = clock;
    this.#tell = tell;
  }

  get fault(): StoreFault | undefined {
    return this.#fault;
  }

  get sinceMs(): number | null {
    return this.#fault === undefined ? null : this.#sinceMs;
  }

  get repairs(): readonly Repair[] {
    return this.#repairs;
  }

  began(fault: StoreFault): void {
    if (this.#fault?.reason !== fault.reason) this.#tellFault(fault);
    if (this.#fault === undefined) this.#sinceMs = this.#clock.wallMs();
    this.#fault = fault;
  }

  over(): void {
    if (this.#fault === undefined) return;
    this.#fault = undefined;
    if (!this.#isQuiet) this.#tell('info', 'The store works again.');
  }

  /** A disk that is nearly full takes one commit and not the next: that is not told each time. */
  #tellFault({ reason, message }: StoreFault): void {
    const nowMs = this.#clock.monotonicMs();
    this.#isQuiet = this.#told?.reason === reason && nowMs - this.#told.atMs < tellAgainMs;
    if (this.#isQuiet) return;
    this.#told = { reason, atMs: nowMs };
    this.#tell('error', `${message} Nothing is answered as stored until that is over.`);
  }

  repaired(repairs: readonly Repair[]): void {
    this.#repairs = [...this.#repairs, ...repairs].slice(-shownRepairs);
    for (const { kind, message } of repairs) this.#tell(levelOf[kind], message);
  }
}
