// The control socket as a thing in the file system: made behind its lock, for this user alone, put in the place of a
// dead one only after nobody answered there, and removed only while it is still ours.
import { once } from 'node:events';
import { type Stats, lstatSync, unlinkSync } from 'node:fs';
import { type Server, createConnection } from 'node:net';
import { resolve } from 'node:path';
import { HostError } from '../../../protocol/errors.ts';
import { prepareSocketFolder } from './socket-folder.ts';
import { SocketLock, alreadyRunning } from './socket-lock.ts';

const probeMs = 2000;
const ownerOnly = 0o177;

export class ControlSocket {
  readonly path: string;
  readonly #lock: SocketLock;
  readonly #server: Server;
  #made: Stats | undefined;

  private constructor(path: string, lock: SocketLock, server: Server) {
    this.path = path;
    this.#lock = lock;
    this.#server = server;
  }

  /** `prepare` runs between the lock and the socket. */
  static async listen(server: Server, path: string, prepare: () => Promise<void>): Promise<ControlSocket> {
    const absolute = resolve(path);
    prepareSocketFolder(absolute);
    const lock = await SocketLock.acquire(absolute, () => somebodyAnswers(absolute));
    const socket = new ControlSocket(absolute, lock, server);
    try {
      await clearPlace(absolute);
      await prepare();
      await socket.#bind();
      return socket;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Closing a server removes whatever lies at its path: one that is no longer ours is left open, and unused. */
  stopAccepting(): void {
    if (this.#isOurs()) this.#server.close();
    else this.#server.unref();
  }

  /** Never throws: it is called when the daemon ends, however it ends. */
  release(): void {
    try {
      if (this.#isOurs()) unlinkSync(this.path);
      this.#lock.release();
    } catch {
      // What stays behind is what a dead daemon leaves, and the next one takes it over.
    }
  }

  async #bind(): Promise<void> {
    const listening = once(this.#server, 'listening');
    const before = process.umask(ownerOnly);
    try {
      // The socket is bound before this returns; only the event comes later.
      this.#server.listen(this.path);
    } finally {
      process.umask(before);
    }
    try {
      await listening;
    } catch (error) {
      throw unusable(this.path, (error as NodeJS.ErrnoException).code ?? 'unknown', 'cannot be listened on');
    }
    const made = lstatSync(this.path);
    if (!made.isSocket() || made.uid !== process.getuid?.() || (made.mode & ownerOnly) !== 0) {
      this.#server.close();
      throw unusable(this.path, 'open_socket', 'could not be kept from other users');
    }
    this.#made = made;
  }

  #isOurs(): boolean {
    const found = lstatSync(this.path, { throwIfNoEntry: false });
    return found !== undefined && this.#made !== undefined && found.ino === this.#made.ino && found.dev === this.#made.dev;
  }
}

/** With the lock in hand, what still lies there was left by a daemon that is dead, or is no business of ours. */
async function clearPlace(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw unusable(path, 'not_a_socket', 'is taken by something that is no socket');
  if (found.uid !== process.getuid?.()) throw unusable(path, 'foreign_socket', 'is taken by another user\'s socket');
  if (await somebodyAnswers(path)) throw alreadyRunning(path, null);
  if (lstatSync(path, { throwIfNoEntry: false })?.ino !== found.ino) throw unusable(path, 'changed', 'changed while it was looked at');
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
    probe.once('error', (error: NodeJS.ErrnoException) => settle(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT' && error.code !== 'ENOTSOCK'));
  });
}

const unusable = (path: string, reason: string, what: string): HostError =>
  new HostError('socket_unusable', `The socket ${path} ${what} (${reason}).`, { path, reason });
