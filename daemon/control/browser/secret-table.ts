// Secrets that were handed out, each for something and for a time. Only their digests are kept, and every one of them
// is compared in full, so that how long a look-up takes says nothing.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock, Timer } from '../../time/clock.ts';

const secretBytes = 32;

const digestOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

export const newSecret = (): string => randomBytes(secretBytes).toString('base64url');

/** One secret that stays as it is, such as a configured token. */
export class KeptSecret {
  readonly #digest: Buffer;

  constructor(secret: string) {
    this.#digest = digestOf(secret);
  }

  is(given: string): boolean {
    return timingSafeEqual(digestOf(given), this.#digest);
  }
}

interface Entry<Value> {
  readonly digest: Buffer;
  readonly value: Value;
  readonly endsAtMs: number;
  readonly expiry: Timer;
}

export interface SecretTableOptions<Value> {
  readonly capacity: number;
  readonly lifeMs: number;
  readonly clock: Clock;
  /** Called once for each value that is no longer there, whatever the reason. */
  gone(value: Value): void;
}

export class SecretTable<Value> {
  readonly #options: SecretTableOptions<Value>;
  /** Oldest first. */
  #entries: Entry<Value>[] = [];

  constructor(options: SecretTableOptions<Value>) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** The oldest makes room where there is none. */
  add(value: Value): string {
    const { capacity, lifeMs, clock } = this.#options;
    const oldest = this.#entries[0];
    if (oldest !== undefined && this.#entries.length >= capacity) this.#remove(oldest);
    const secret = newSecret();
    this.#push(digestOf(secret), value, lifeMs, clock);
    return secret;
  }

  /** One that was handed out by an earlier daemon. */
  restore(digest: Buffer, value: Value, leftMs: number): void {
    const { capacity, lifeMs, clock } = this.#options;
    if (leftMs > 0 && this.#entries.length < capacity) this.#push(digest, value, Math.min(leftMs, lifeMs), clock);
  }

  list(): { readonly digest: Buffer; readonly value: Value; readonly leftMs: number }[] {
    const nowMs = this.#options.clock.monotonicMs();
    return this.#entries.map(({ digest, value, endsAtMs }) => ({ digest, value, leftMs: endsAtMs - nowMs }));
  }

  #push(digest: Buffer, value: Value, lifeMs: number, clock: Clock): void {
    const entry: Entry<Value> = {
      digest,
      value,
      endsAtMs: clock.monotonicMs() + lifeMs,
      expiry: clock.after(lifeMs, () => this.#remove(entry)),
    };
    this.#entries.push(entry);
  }

  find(secret: string): Value | undefined {
    return this.#entry(secret)?.value;
  }

  /** As `find`, for the last time. */
  take(secret: string): Value | undefined {
    const entry = this.#entry(secret);
    if (entry !== undefined) this.#remove(entry);
    return entry?.value;
  }

  clear(): void {
    for (const entry of [...this.#entries]) this.#remove(entry);
  }

  #entry(secret: string): Entry<Value> | undefined {
    const digest = digestOf(secret);
    let found: Entry<Value> | undefined;
    for (const entry of this.#entries) if (timingSafeEqual(entry.digest, digest)) found = entry;
    // The timer of one that is over may be late.
    return found === undefined || found.endsAtMs <= this.#options.clock.monotonicMs() ? undefined : found;
  }

  #remove(entry: Entry<Value>): void {
    if (!this.#entries.includes(entry)) return;
    entry.expiry.cancel();
    this.#entries = this.#entries.filter((other) => other !== entry);
    this.#options.gone(entry.value);
  }
}
