// Decides what a plugin's share of the processor means for it now. Time earns processor time by the share, work spends
// it, and a short burst may be saved up. A plugin that has overspent is lowered first; if that does not help, it is
// paused between events until it has earned half a burst again. It only counts: lowering and pausing are done by
// whoever asks it.
import type { CpuShare } from '../../protocol/status.ts';

/** So much may be saved up: the work of this long at the share. */
const burstMs = 2000;
/** A lower priority gets this long to help, before the plugin is paused. */
const loweredMs = 1000;
/** However long an event ran, its plugin is not paused for much longer than this because of it. */
const longestPauseMs = 30_000;
/** What is shown as used is the mean of about this long. */
const meanMs = 5000;

export type BudgetState = CpuShare['state'];

export class CpuBudget {
  readonly share: number;
  readonly #mostMs: number;
  #balanceMs: number;
  #state: BudgetState = 'within';
  #loweredAtMs = 0;
  #atMs: number;
  #usedMs: number;
  #usedShare = 0;
  #pausedMs = 0;

  /** `usedMs` of processor time have been used before. */
  constructor(share: number, nowMs: number, usedMs: number) {
    this.share = share;
    this.#mostMs = share * burstMs;
    this.#balanceMs = this.#mostMs;
    this.#atMs = nowMs;
    this.#usedMs = usedMs;
  }

  get state(): BudgetState {
    return this.#state;
  }

  /** With the processor time that has been used altogether; answers the state from now on. */
  look(nowMs: number, usedMs: number): BudgetState {
    const sinceMs = nowMs - this.#atMs;
    if (sinceMs <= 0) return this.#state;
    const spentMs = Math.max(0, usedMs - this.#usedMs);
    if (this.#state === 'paused') this.#pausedMs += sinceMs;
    this.#atMs = nowMs;
    this.#usedMs = usedMs;
    const weight = 1 - Math.exp(-sinceMs / meanMs);
    this.#usedShare += (spentMs / sinceMs - this.#usedShare) * weight;
    const earnedMs = this.#balanceMs + sinceMs * this.share - spentMs;
    this.#balanceMs = Math.max(-longestPauseMs * this.share, Math.min(this.#mostMs, earnedMs));
    this.#state = this.#next(nowMs);
    return this.#state;
  }

  view(): CpuShare {
    return {
      share: this.share,
      usedShare: Number(this.#usedShare.toFixed(3)),
      state: this.#state,
      pausedMs: Math.round(this.#pausedMs),
    };
  }

  #next(nowMs: number): BudgetState {
    switch (this.#state) {
      case 'within':
        if (this.#balanceMs >= 0) return 'within';
        this.#loweredAtMs = nowMs;
        return 'lowered';
      case 'lowered':
        if (this.#balanceMs >= this.#mostMs) return 'within';
        return this.#balanceMs < 0 && nowMs - this.#loweredAtMs >= loweredMs ? 'paused' : 'lowered';
      case 'paused':
        return this.#balanceMs >= this.#mostMs / 2 ? 'lowered' : 'paused';
    }
  }
}
