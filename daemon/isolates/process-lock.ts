// A lock that ends with its process: a file that says who holds it, with the moment the process began. A lock whose
// owner is dead is taken over in such a way that of any number of starters that find it so, exactly one gets it.
import { linkSync, lstatSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type ProcessIdentity, isAlive, thisProcess } from './process-identity.ts';

export interface LockHolder extends ProcessIdentity {
  /** Told apart from every other holder there ever was. */
  readonly nonce: string;
  /** The daemon, where the holder is its guardian: while it lives, the lock is held even if the guardian is gone. */
  readonly daemon?: ProcessIdentity;
}

/** Who holds it: the pid of the daemon, and that of its guardian where it has one. */
export interface Rival {
  /** Null where somebody answers and no lock says who. */
  readonly pid: number | null;
  readonly guardianPid?: number;
}

export interface LockTerms {
  /** Asked before a dead holder's lock is taken: its pid may be one of another container. */
  answers(): Promise<boolean>;
  /** The error for a lock that cannot be written, or that is not of this user's daemon. */
  unusable(path: string, reason: string, message: string): Error;
}

const rivalPollMs = 20;
const rivalWaitMs = 5000;

export class ProcessLock {
  readonly #path: string;
  readonly #terms: LockTerms;
  #holder: LockHolder;

  private constructor(path: string, holder: LockHolder, terms: LockTerms) {
    this.#path = path;
    this.#holder = holder;
    this.#terms = terms;
  }

  /** Answers the lock, or who holds it. */
  static async acquire(path: string, terms: LockTerms): Promise<ProcessLock | Rival> {
    const holder: LockHolder = { ...thisProcess(), nonce: randomUUID() };
    const rival = await new LockAttempt(path, holder, terms).take(path);
    return rival ?? new ProcessLock(path, holder, terms);
  }

  /** False where the lock names another daemon, or none. */
  static removeLeftOf(path: string, daemonPid: number, terms: LockTerms): boolean {
    if (readHolder(path, terms)?.daemon?.pid !== daemonPid) return false;
    remove(path);
    return true;
  }

  isOurs(): boolean {
    return readHolder(this.#path, this.#terms)?.nonce === this.#holder.nonce;
  }

  release(): void {
    if (this.isOurs()) remove(this.#path);
  }

  /** Writes it again where somebody has removed it. Returns who has taken it since, if anybody has. */
  renew(): Rival | undefined {
    return this.isOurs() ? undefined : new LockAttempt(this.#path, this.#holder, this.#terms).takeAgain(this.#path);
  }

  /** Replaces the lock by one that names the daemon as well; it stays as it is where that cannot be written. */
  nameDaemon(daemon: ProcessIdentity): void {
    if (!this.isOurs()) return;
    this.#holder = { ...this.#holder, daemon };
    try {
      renameSync(writeDraft(this.#path, this.#holder, this.#terms), this.#path);
    } catch {
      // The disk is full or read-only: the guardian's own pid in the lock keeps others out.
    }
  }
}

const isHeld = (holder: LockHolder): boolean =>
  isAlive(holder) || (holder.daemon !== undefined && isAlive(holder.daemon));

const rivalOf = ({ pid, daemon }: LockHolder): Rival =>
  daemon === undefined ? { pid } : { pid: daemon.pid, guardianPid: pid };

/**
 * One starter's try for the lock. A dead holder's lock is replaced only under a claim, a second lock named after that
 * very holder: whoever has the claim is alone in replacing this lock, and finds out if it was replaced before. A claim
 * whose owner died is itself taken over the same way.
 */
class LockAttempt {
  readonly #base: string;
  readonly #holder: LockHolder;
  readonly #terms: LockTerms;
  readonly #deadline = performance.now() + rivalWaitMs;

  constructor(base: string, holder: LockHolder, terms: LockTerms) {
    this.#base = base;
    this.#holder = holder;
    this.#terms = terms;
  }

  /** Answers the living holder that stands in the way; undefined when the file is ours. */
  async take(path: string): Promise<Rival | undefined> {
    for (;;) {
      if (this.#create(path)) return undefined;
      const found = readHolder(path, this.#terms);
      if (found === undefined) continue;
      if (isHeld(found)) return rivalOf(found);
      if (await this.#terms.answers()) {
        // Whoever answers may have taken the lock while we asked, and then the lock says who it is.
        if (readHolder(path, this.#terms)?.nonce === found.nonce) return { pid: null };
        continue;
      }

      const claim = `${this.#base}.${found.nonce}`;
      const rival = await this.take(claim);
      if (rival === undefined) {
        try {
          if (readHolder(path, this.#terms)?.nonce === found.nonce) {
            this.#replace(path);
            return undefined;
          }
        } finally {
          remove(claim);
        }
      } else if (performance.now() > this.#deadline) {
        return rival;
      } else {
        await pause(rivalPollMs);
      }
    }
  }

  /** As `take`, without waiting: a lock that a dead holder has left since stays. */
  takeAgain(path: string): Rival | undefined {
    if (this.#create(path)) return undefined;
    const found = readHolder(path, this.#terms);
    return found !== undefined && isHeld(found) ? rivalOf(found) : undefined;
  }

  /** The file appears with its content, or not at all. */
  #create(path: string): boolean {
    const draft = this.#draft();
    try {
      linkSync(draft, path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw unwritable(path, error, this.#terms);
    } finally {
      remove(draft);
    }
  }

  #replace(path: string): void {
    renameSync(this.#draft(), path);
  }

  #draft(): string {
    return writeDraft(this.#base, this.#holder, this.#terms);
  }
}

function writeDraft(lock: string, holder: LockHolder, terms: LockTerms): string {
  const draft = `${lock}.${holder.nonce}.new`;
  try {
    writeFileSync(draft, `${JSON.stringify(holder)}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    throw unwritable(draft, error, terms);
  }
  return draft;
}

/** Undefined where there is no lock. */
function readHolder(path: string, terms: LockTerms): LockHolder | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  if (!stats.isFile() || stats.uid !== process.getuid?.()) {
    throw terms.unusable(path, 'foreign_lock', `${path} is not a lock of this user's daemon`);
  }
  try {
    const { pid, start, nonce, daemon } = JSON.parse(readFileSync(path, 'utf8')) as Partial<LockHolder>;
    const holder = identity({ pid, start });
    if (holder !== undefined && /^[\w-]{1,64}$/.test(nonce ?? '')) {
      const under = identity(daemon);
      return { ...holder, nonce: String(nonce), ...(under === undefined ? {} : { daemon: under }) };
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    // Torn by a power cut, for it is never written in place: a holder that cannot be alive.
  }
  return { pid: 0, start: '', nonce: `torn-${String(stats.ino)}-${String(Math.trunc(stats.mtimeMs))}` };
}

function identity(value: Partial<ProcessIdentity> | undefined): ProcessIdentity | undefined {
  const { pid, start } = value ?? {};
  return Number.isSafeInteger(pid) && Number(pid) > 0 && typeof start === 'string'
    ? { pid: Number(pid), start }
    : undefined;
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone already, which is what was wanted.
  }
}

function unwritable(path: string, error: unknown, terms: LockTerms): Error {
  const reason = (error as NodeJS.ErrnoException).code ?? 'unknown';
  return terms.unusable(path, reason, `The lock ${path} cannot be written (${reason})`);
}
