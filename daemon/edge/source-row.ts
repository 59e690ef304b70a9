// One source as the host knows it: what is declared, whether it is paused, and what was last reported of it. Counters
// go on over replaced threads.
import type { SourceCounters, SourceFault, SourceReport, SourceState } from '../../protocol/edge/messages.ts';
import type { SourceStatus } from '../../protocol/operations/source.ts';
import type { Source } from '../../protocol/sources.ts';

export interface DeclaredSource {
  readonly plugin: string;
  readonly declaration: Source;
  /** What its ingress takes. */
  readonly kinds: readonly string[];
  /** An output sends to its peer: it is open wherever an event may be handled. */
  readonly isRepliedTo: boolean;
  readonly folder: string;
  /** What a plugin under permissions may read beside its folder. */
  readonly readable?: readonly string[] | undefined;
}

const noCounters: SourceCounters = { received: 0, accepted: 0, duplicates: 0, refused: 0, ignored: 0, reconnects: 0 };

export class SourceRow {
  declared: DeclaredSource;
  paused: boolean;
  /** How often somebody has asked that it is tried again. */
  asked = 0;
  /** When a schedule is due next. */
  nextMs: number | undefined;
  #state: SourceState = 'connecting';
  #sinceMs: number;
  /** Over attempts to connect that failed. */
  #deafMs: number | undefined;
  #lastEventMs: number | undefined;
  #lastError: SourceFault | undefined;
  #base = noCounters;
  #counters = noCounters;

  constructor(declared: DeclaredSource, paused: boolean, nowMs: number) {
    this.declared = declared;
    this.paused = paused;
    this.#sinceMs = nowMs;
    this.#deafMs = nowMs;
  }

  get key(): string {
    return `${this.declared.plugin}/${this.declared.declaration.name}`;
  }

  get state(): SourceState {
    return this.#state;
  }

  become(state: SourceState, nowMs: number): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#sinceMs = nowMs;
    this.#hears(nowMs);
  }

  fault(code: string, message: string, nowMs: number): void {
    this.#lastError = { code, message, atMs: nowMs };
  }

  count(what: keyof SourceCounters): void {
    this.#base = { ...this.#base, [what]: this.#base[what] + 1 };
  }

  happened(nowMs: number): void {
    this.#lastEventMs = nowMs;
  }

  reported({ state, sinceMs, lastEventMs, lastError, counters }: SourceReport): void {
    if (state !== this.#state) this.#sinceMs = sinceMs;
    this.#state = state;
    this.#hears(sinceMs);
    this.#lastEventMs = lastEventMs ?? this.#lastEventMs;
    this.#lastError = lastError ?? this.#lastError;
    this.#counters = counters;
  }

  #hears(nowMs: number): void {
    if (this.#state === 'open' || this.#state === 'paused') this.#deafMs = undefined;
    else this.#deafMs ??= nowMs;
  }

  /** Its thread is gone: the next one counts from 0. */
  lost(nowMs: number): void {
    this.#base = sum(this.#base, this.#counters);
    this.#counters = noCounters;
    this.become('retrying', nowMs);
  }

  view(url: string | undefined): SourceStatus {
    const { plugin, declaration } = this.declared;
    const lastError = this.#lastError;
    return {
      plugin,
      name: declaration.name,
      type: declaration.type,
      state: this.#state,
      since: instant(this.#sinceMs),
      deafSince: this.#deafMs === undefined ? null : instant(this.#deafMs),
      ...(url === undefined ? {} : { url }),
      lastEventAt: this.#lastEventMs === undefined ? null : instant(this.#lastEventMs),
      lastError:
        lastError === undefined
          ? null
          : { code: lastError.code, message: lastError.message, at: instant(lastError.atMs) },
      ...(declaration.type === 'schedule' ? { nextAt: this.nextMs === undefined ? null : instant(this.nextMs) } : {}),
      counters: sum(this.#base, this.#counters),
    };
  }
}

const instant = (ms: number): string => new Date(ms).toISOString();

const sum = (one: SourceCounters, other: SourceCounters): SourceCounters => ({
  received: one.received + other.received,
  accepted: one.accepted + other.accepted,
  duplicates: one.duplicates + other.duplicates,
  refused: one.refused + other.refused,
  ignored: one.ignored + other.ignored,
  reconnects: one.reconnects + other.reconnects,
});
