// Browsers that are signed in, and the one-time links by which they are. Both are few, both expire, and the oldest
// makes room for a new one: asking for a link never fails.
import type { Clock } from '../../time/clock.ts';
import type { HttpLimits } from '../../config/http.ts';
import { Access } from './access.ts';
import { SecretTable } from './secret-table.ts';

export interface SignedIn {
  /** For the cookie. */
  readonly secret: string;
  readonly lifeMs: number;
}

export class Sessions {
  readonly #limits: HttpLimits;
  readonly #links: SecretTable<{ readonly readOnly: boolean }>;
  readonly #open: SecretTable<Access>;
  readonly #accesses = new Set<Access>();

  constructor(limits: HttpLimits, clock: Clock) {
    this.#limits = limits;
    this.#links = new SecretTable({ capacity: limits.links, lifeMs: limits.linkMs, clock, gone: () => undefined });
    this.#open = new SecretTable<Access>({
      capacity: limits.sessions,
      lifeMs: limits.sessionMs,
      clock,
      gone: (access) => {
        this.#accesses.delete(access);
        access.end();
      },
    });
  }

  get count(): number {
    return this.#open.size;
  }

  get links(): number {
    return this.#links.size;
  }

  get streams(): number {
    return [...this.#accesses].reduce((sum, access) => sum + access.streams, 0);
  }

  newLink(readOnly: boolean): string {
    return this.#links.add({ readOnly });
  }

  /** Undefined for a link that was used, is too old or never was. */
  signIn(link: string): SignedIn | undefined {
    const allowed = this.#links.take(link);
    if (allowed === undefined) return undefined;
    const access = new Access(allowed.readOnly, this.#limits.streams);
    this.#accesses.add(access);
    return { secret: this.#open.add(access), lifeMs: this.#limits.sessionMs };
  }

  find(secret: string): Access | undefined {
    return this.#open.find(secret);
  }

  signOut(secret: string): void {
    this.#open.take(secret);
  }

  /** Every browser is signed out. */
  close(): void {
    this.#links.clear();
    this.#open.clear();
  }
}
