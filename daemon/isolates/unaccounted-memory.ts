// Finds out whose memory it is that no cell accounts for: shared memory, blobs, messages nobody reads, keys. V8 counts
// none of it for a thread, but the process grows by it, and the thread that makes pages resident takes a fault for
// each. Growth that nobody accounts for is laid to the one thread whose pages explain it.
import type { ThreadAccount } from './thread-accounts.ts';

export interface MemoryLook {
  readonly nowMs: number;
  /** Of the whole process. */
  readonly rssMb: number;
  /** What the host's own thread accounts for. */
  readonly hostMb: number;
  /** Made resident so far by threads that belong to no cell and not to the host: those of Node's pool. */
  readonly poolFaultedMb: number;
  faultedMb(account: ThreadAccount): number;
  /** Processor time of its thread so far. */
  ranMs(account: ThreadAccount): number;
}

export interface MemorySuspect {
  readonly account: ThreadAccount;
  readonly what: string;
}

interface Standing {
  accountedMb: number;
  faultedMb: number;
  ranMs: number;
  /** Its part of what nobody accounts for. */
  outsideMb: number;
  grewMs: number;
  /** It was over its bound at the last look too. */
  over: boolean;
}

/** What Node's pool takes is laid to a cell that had so much of all cells' processor time meanwhile. */
const aloneShare = 0.8;
/** Less is noise of collections and of figures that come late. */
const leastStepMb = 4;
/** A verdict by inference needs more than a little over the bound. */
const leastOutsideMb = 64;
interface Taken {
  readonly standing: Standing;
  tookMb: number;
  readonly ranMs: number;
}

/** After a cell was ended its memory takes a moment to come back, and nobody is ended for the sum meanwhile. */
const restMs = 2000;

export class UnaccountedMemory {
  readonly #boundMb: number;
  readonly #standings = new Map<ThreadAccount, Standing>();
  #lastOutsideMb: number | undefined;
  /** What nobody accounted for when that was least: code, stacks and the like. */
  #leastOutsideMb = Infinity;
  #lastPoolMb = 0;
  #restUntilMs = 0;
  readonly #ended = new WeakSet<ThreadAccount>();

  /** `boundMb`: what the whole daemon may hold. */
  constructor(boundMb: number) {
    this.#boundMb = boundMb;
  }

  /** What no cell accounts for and is laid to this one, in MB. */
  outsideOf(account: ThreadAccount): number {
    return this.#standings.get(account)?.outsideMb ?? 0;
  }

  look(accounts: ReadonlySet<ThreadAccount>, look: MemoryLook): MemorySuspect | undefined {
    const accountedMb = look.hostMb + [...accounts].reduce((sum, account) => sum + account.accountedMb, 0);
    for (const account of this.#standings.keys()) if (!accounts.has(account)) this.#standings.delete(account);
    const outsideMb = look.rssMb - accountedMb;
    this.#leastOutsideMb = Math.min(this.#leastOutsideMb, outsideMb);
    this.#divide(
      this.#takenSince(accounts, look),
      outsideMb - (this.#lastOutsideMb ?? outsideMb),
      look.poolFaultedMb - this.#lastPoolMb,
    );
    this.#holdTo(outsideMb - this.#leastOutsideMb);
    this.#lastOutsideMb = outsideMb;
    this.#lastPoolMb = look.poolFaultedMb;
    const suspect = this.#overItsOwn(accounts) ?? this.#overTheDaemons(look);
    if (suspect === undefined) return undefined;
    this.#restUntilMs = look.nowMs + restMs;
    this.#ended.add(suspect.account);
    return suspect;
  }

  /** A cell was over its bound at the last look, and is ended if the next one finds it there again. */
  get unsure(): boolean {
    return [...this.#standings.values()].some(({ over }) => over);
  }

  /** A thread that began since the last look has taken all its pages since then. */
  #standingOf(account: ThreadAccount): Standing {
    const known = this.#standings.get(account);
    if (known !== undefined) return known;
    const standing = { accountedMb: 0, faultedMb: 0, ranMs: 0, outsideMb: 0, grewMs: -Infinity, over: false };
    this.#standings.set(account, standing);
    return standing;
  }

  /** What each thread made resident since the last look beyond what it accounts for. */
  #takenSince(accounts: ReadonlySet<ThreadAccount>, look: MemoryLook): Taken[] {
    const taken: Taken[] = [];
    for (const account of accounts) {
      const { accountedMb } = account;
      const faultedMb = look.faultedMb(account);
      const ranMs = look.ranMs(account);
      const standing = this.#standingOf(account);
      const grewMb = Math.max(0, accountedMb - standing.accountedMb);
      const tookMb = Math.max(0, faultedMb - standing.faultedMb - grewMb);
      if (grewMb >= leastStepMb || tookMb >= leastStepMb) standing.grewMs = look.nowMs;
      taken.push({ standing, tookMb, ranMs: ranMs - standing.ranMs });
      Object.assign(standing, { accountedMb, faultedMb, ranMs });
    }
    return taken;
  }

  /**
   * Growth is laid to a thread as far as the pages that all others took cannot explain it: a neighbour that makes much
   * garbage takes pages all the time, and must not be ended for what another one keeps.
   */
  #divide(taken: readonly Taken[], stepMb: number, poolMb: number): void {
    if (stepMb < leastStepMb) return;
    const allRanMs = taken.reduce((sum, { ranMs }) => sum + ranMs, 0);
    const alone = taken.find(({ ranMs }) => ranMs > 0 && ranMs >= allRanMs * aloneShare);
    const pooledMb = Math.max(0, poolMb);
    if (alone !== undefined) alone.tookMb += pooledMb;
    const allMb = taken.reduce((sum, { tookMb }) => sum + tookMb, alone === undefined ? pooledMb : 0);
    for (const { standing, tookMb } of taken)
      standing.outsideMb += Math.max(0, Math.min(tookMb, stepMb - (allMb - tookMb)));
  }

  /** All of them together hold no more than there is. */
  #holdTo(mostMb: number): void {
    const allMb = [...this.#standings.values()].reduce((sum, { outsideMb }) => sum + outsideMb, 0);
    if (allMb > mostMb) for (const standing of this.#standings.values()) standing.outsideMb *= mostMb / allMb;
  }

  #overItsOwn(accounts: ReadonlySet<ThreadAccount>): MemorySuspect | undefined {
    for (const account of accounts) {
      const standing = this.#standings.get(account);
      if (standing === undefined || this.#ended.has(account)) continue;
      const { outsideMb, accountedMb } = standing;
      const over = outsideMb >= leastOutsideMb && outsideMb + accountedMb > account.allowedMb;
      if (over && standing.over) {
        const what = `the daemon grew by ${outsideMb.toFixed(0)} MB that no cell accounts for while this cell's thread took memory, and it holds ${accountedMb.toFixed(0)} MB beside that; limits.rssMb allows ${String(account.allowedMb)} together`;
        return { account, what };
      }
      standing.over = over;
    }
    return undefined;
  }

  #overTheDaemons({ nowMs, rssMb }: MemoryLook): MemorySuspect | undefined {
    return nowMs < this.#restUntilMs || rssMb <= this.#boundMb ? undefined : this.#newestGrower(rssMb);
  }

  #newestGrower(rssMb: number): MemorySuspect | undefined {
    let newest: [ThreadAccount, Standing] | undefined;
    for (const entry of this.#standings) {
      const [, { grewMs, outsideMb, accountedMb }] = entry;
      const best = newest?.[1];
      if (
        best === undefined ||
        grewMs > best.grewMs ||
        (grewMs === best.grewMs && outsideMb + accountedMb > best.outsideMb + best.accountedMb)
      )
        newest = entry;
    }
    if (newest === undefined) return undefined;
    const what = `the daemon held ${rssMb.toFixed(0)} MB; limits.daemonRssMb allows ${String(this.#boundMb)}. This cell is a suspicion only: it is the one that grew last`;
    return { account: newest[0], what };
  }
}
