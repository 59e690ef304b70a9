// Browsers that are signed in, and the one-time links by which they are. Both are few, both expire, and the oldest
// makes room for a new one: asking for a link never fails.
import type { Clock } from '../../time/clock.ts';
import type { HttpLimits } from '../../config/http.ts';
import { Access, type Scope } from './access.ts';
import type { KeptSessions } from './kept-sessions.ts';
import { SecretTable } from './secret-table.ts';

export interface SignedIn {
  /** For the cookie. */
  readonly secret: string;
  readonly scope: Scope;
  readonly lifeMs: number;
}

export class Sessions {
  readonly #limits: HttpLimits;
  readonly #clock: Clock;
  readonly #kept: Pick<KeptSessions, 'read' | 'write'> | undefined;
  readonly #links: SecretTable<{ readonly readOnly: boolean; readonly scope: Scope }>;
  readonly #open: SecretTable<Access>;
  readonly #accesses = new Set<Access>();

  constructor(limits: HttpLimits, clock: Clock, kept?: Pick<KeptSessions, 'read' | 'write'>) {
    this.#limits = limits;
    this.#clock = clock;
    this.#kept = kept;
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
    for (const { digest, readOnly, scope, endsAt } of kept?.read() ?? []) {
      const access = this.#newAccess(readOnly, scope);
      this.#open.restore(Buffer.from(digest, 'base64url'), access, endsAt - clock.wallMs());
    }
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

  newLink(readOnly: boolean, scope: Scope = 'browse'): string {
    return this.#links.add({ readOnly, scope });
  }

  /** Undefined for a link that was used, is too old or never was. */
  signIn(link: string): SignedIn | undefined {
    const allowed = this.#links.take(link);
    if (allowed === undefined) return undefined;
    const access = this.#newAccess(allowed.readOnly, allowed.scope);
    const secret = this.#open.add(access);
    this.#keep();
    return { secret, scope: allowed.scope, lifeMs: this.#limits.sessionMs };
  }

  find(secret: string): Access | undefined {
    return this.#open.find(secret);
  }

  signOut(secret: string): void {
    if (this.#open.take(secret) !== undefined) this.#keep();
  }

  #newAccess(readOnly: boolean, scope: Scope): Access {
    const access = new Access(readOnly, this.#limits.streams, scope);
    this.#accesses.add(access);
    return access;
  }

  #keep(): void {
    const nowMs = this.#clock.wallMs();
    this.#kept?.write(
      this.#open
        .list()
        .map(({ digest, value: { readOnly, scope }, leftMs }) => ({
          digest: digest.toString('base64url'),
          readOnly,
          scope: scope === 'operate' ? scope : 'browse',
          endsAt: Math.round(nowMs + leftMs),
        })),
    );
  }

  /** Every browser's streams end. A daemon that starts again knows its sessions. */
  close(): void {
    this.#links.clear();
    this.#open.clear();
  }
}
