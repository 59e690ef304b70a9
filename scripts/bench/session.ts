// One run of the suite: how long and how often is measured, where, and what must be ended afterwards whatever happens.
import type { Placement } from './subject.ts';

export interface SessionOptions {
  /** Everything for a moment only: whether it runs at all, not how fast. */
  readonly smoke: boolean;
  readonly pinning: boolean;
  /** Of the soak, where it is the long one. */
  readonly soakMinutes: number | undefined;
  progress(text: string): void;
}

const repetitions = 7;

export class Session {
  readonly smoke: boolean;
  readonly soakMinutes: number | undefined;
  readonly placements: readonly Placement[];
  readonly #options: SessionOptions;
  readonly #endings: (() => Promise<void>)[] = [];

  constructor(options: SessionOptions) {
    this.smoke = options.smoke;
    this.soakMinutes = options.soakMinutes;
    this.placements = options.pinning && !options.smoke ? ['free', 'one core'] : ['free'];
    this.#options = options;
  }

  get repetitions(): number {
    return this.smoke ? 1 : repetitions;
  }

  /** How long to measure, where `normallyMs` is what gives steady figures. */
  lasting(normallyMs: number, smokeMs = 25): number {
    return this.smoke ? Math.min(smokeMs, normallyMs) : normallyMs;
  }

  /** As many as steady figures need, or a few. */
  many(normally: number, forSmoke: number): number {
    return this.smoke ? Math.min(forSmoke, normally) : normally;
  }

  progress(text: string): void {
    this.#options.progress(text);
  }

  /** Ended with the next `clear`. */
  async holding<Thing extends { end(): Promise<void> }>(starting: Promise<Thing>): Promise<Thing> {
    const thing = await starting;
    this.#endings.push(() => thing.end());
    return thing;
  }

  /** What is begun inside is ended with it. */
  async inside<Result>(measure: (inner: Session) => Promise<Result>): Promise<Result> {
    const inner = new Session(this.#options);
    try {
      return await measure(inner);
    } finally {
      await inner.clear();
    }
  }

  async clear(): Promise<void> {
    await Promise.all(this.#endings.splice(0).map((end) => end()));
  }
}
