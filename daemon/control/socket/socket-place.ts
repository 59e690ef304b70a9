// The path of the control socket as a thing in the file system: claimed behind its lock, cleared of what a dead daemon
// has left only after nobody answered there, and removed only while what lies there is still ours.
import { type Stats, lstatSync, unlinkSync } from 'node:fs';
import { createConnection } from 'node:net';
import { resolve } from 'node:path';
import { HostError } from '../../../protocol/errors.ts';
import type { ProcessIdentity } from '../../isolates/process-identity.ts';
import type { ProcessLock } from '../../isolates/process-lock.ts';
import { prepareSocketFolder } from './socket-folder.ts';
import { alreadyRunning, lockSocket, removeSocketLockOf } from './socket-lock.ts';

const probeMs = 2000;
const ownerOnly = 0o177;

export class SocketPlace {
  readonly path: string;
  readonly #lock: ProcessLock;
  #made: Stats | undefined;

  private constructor(path: string, lock: ProcessLock) {
    this.path = path;
    this.#lock = lock;
  }

  /** Throws `already_running` and `socket_unusable`. */
  static async claim(path: string): Promise<SocketPlace> {
    const absolute = resolve(path);
    prepareSocketFolder(absolute);
    const lock = await lockSocket(absolute, () => somebodyAnswers(absolute));
    try {
      await clearPlace(absolute);
      return new SocketPlace(absolute, lock);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** A socket that a service manager has made and keeps: only the lock is taken. Throws `already_running`. */
  static async inherit(path: string): Promise<SocketPlace> {
    const absolute = resolve(path);
    prepareSocketFolder(absolute);
    // Whoever connects is put in the manager's queue, so that an answer says nothing.
    return new SocketPlace(absolute, await lockSocket(absolute, () => Promise.resolve(false)));
  }

  /**
   * Removes socket and lock of a guardian that is gone, where the lock names this process as its daemon. Never throws.
   */
  static removeLeftOf(path: string, daemonPid: number): void {
    try {
      const absolute = resolve(path);
      if (!removeSocketLockOf(absolute, daemonPid)) return;
      if (lstatSync(absolute, { throwIfNoEntry: false })?.isSocket() === true) unlinkSync(absolute);
    } catch {
      // What stays behind is what a dead daemon leaves, and the next one takes it over.
    }
  }

  /** Runs `bind`, which makes the socket, and makes sure that it is for this user alone. */
  make(bind: () => void): void {
    const before = process.umask(ownerOnly);
    try {
      bind();
    } finally {
      process.umask(before);
    }
  }

  /** Throws `socket_unusable` where the socket that was made is not what it has to be. */
  confirm(): void {
    const made = lstatSync(this.path);
    if (!made.isSocket() || made.uid !== process.getuid?.() || (made.mode & ownerOnly) !== 0) {
      throw unusable(this.path, 'open_socket', 'could not be kept from other users');
    }
    this.#made = made;
  }

  /** What lies at the path: the socket that was made here, nothing, or something else. */
  look(): 'ours' | 'nothing' | 'foreign' {
    const found = lstatSync(this.path, { throwIfNoEntry: false });
    if (found === undefined) return 'nothing';
    return this.#made !== undefined && found.ino === this.#made.ino && found.dev === this.#made.dev
      ? 'ours'
      : 'foreign';
  }

  /** The lock also names the daemon that runs under the guardian which holds it. */
  nameDaemon(daemon: ProcessIdentity): void {
    this.#lock.nameDaemon(daemon);
  }

  /** Never throws: it is called when the holder ends, however it ends. */
  release(): void {
    try {
      if (this.look() === 'ours') unlinkSync(this.path);
      this.#lock.release();
    } catch {
      // What stays behind is what a dead daemon leaves, and the next one takes it over.
    }
  }
}

/** With the lock in hand, what still lies there was left by a daemon that is dead, or is no business of ours. */
async function clearPlace(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw unusable(path, 'not_a_socket', 'is taken by something that is no socket');
  if (found.uid !== process.getuid?.()) throw unusable(path, 'foreign_socket', "is taken by another user's socket");
  if (await somebodyAnswers(path)) throw alreadyRunning(path);
  if (lstatSync(path, { throwIfNoEntry: false })?.ino !== found.ino)
    throw unusable(path, 'changed', 'changed while it was looked at');
  unlinkSync(path);
}

/** Anything but a plain refusal counts as an answer: a full backlog, too, means that somebody is there. */
function somebodyAnswers(path: string): Promise<boolean> {
  return new Promise((answered) => {
    const probe = createConnection(path);
    const settle = (answer: boolean): void => {
      clearTimeout(timer);
      probe.destroy();
      answered(answer);
    };
    const timer = setTimeout(() => settle(true), probeMs);
    probe.once('connect', () => settle(true));
    probe.once('error', (error: NodeJS.ErrnoException) =>
      settle(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT' && error.code !== 'ENOTSOCK'),
    );
  });
}

export const unusable = (path: string, reason: string, what: string): HostError =>
  new HostError('socket_unusable', `The socket ${path} ${what} (${reason}).`, { path, reason });
