// The daemon's end of the channel to its guardian: asks for the listening sockets, is told what happened before it, and
// says when it is ready and when it ends because it was told to.
import { once } from 'node:events';
import { Server } from 'node:net';
import { type ErrorCode, HostError } from '../../protocol/errors.ts';
import type { ControlListener, ListenOnControl } from '../control/socket/control-socket.ts';
import { SocketPlace } from '../control/socket/socket-place.ts';
import type { BoundHandle } from './bound-handle.ts';
import { type FromDaemon, type FromGuardian, type ListenerRequest, guardianVariable } from './wire.ts';

type Welcome = Extract<FromGuardian, { type: 'welcome' }>;

/** The link, and what the guardian has told of the daemons before this one. */
export interface Guarding extends Pick<Welcome, 'deaths' | 'escalated'> {
  readonly link: GuardianLink;
}

const welcomeMs = 10_000;
const notReady = 'The daemon is not ready yet: reload it again when it is.';

export class GuardianLink {
  readonly guardianPid: number;
  readonly #waiting = new Map<number, { opened(handle: BoundHandle): void; refused(error: HostError): void }>();
  #nextId = 1;
  #awaited = 0;
  #welcomed: (welcome: Welcome) => void = () => {};
  readonly #welcome: Promise<Welcome>;
  #remade: (handle: BoundHandle) => void = () => {};
  #gone: () => void = () => {};
  #reload: () => Promise<string | undefined> = () => Promise.resolve(notReady);
  /** A service manager keeps the control socket. */
  #keptByManager = false;
  #beat: NodeJS.Timeout | undefined;
  #deaths: Guarding['deaths'] = [];

  private constructor(guardianPid: number) {
    this.guardianPid = guardianPid;
    this.#welcome = new Promise((resolve) => (this.#welcomed = resolve));
    process.on('message', (message: FromGuardian, handle: unknown) => this.#receive(message, handle as BoundHandle));
    process.once('disconnect', () => this.#gone());
    process.channel?.unref();
  }

  /** Undefined where this process was not started by a guardian. Plugins and what they start never see the variable. */
  static find(): GuardianLink | undefined {
    const pid = process.env[guardianVariable];
    delete process.env[guardianVariable];
    if (pid === undefined || Number(pid) !== process.ppid || process.send === undefined) return undefined;
    return new GuardianLink(process.ppid);
  }

  /**
   * While an answer is awaited the channel keeps the process alive; at no other time, for it must not keep a daemon
   * from exiting.
   */
  async #awaiting<Answer>(answer: Promise<Answer>): Promise<Answer> {
    this.#awaited += 1;
    process.channel?.ref();
    try {
      return await answer;
    } finally {
      this.#awaited -= 1;
      if (this.#awaited === 0) process.channel?.unref();
    }
  }

  /** What the guardian knows of the daemons before this one. Throws where the guardian is of another version. */
  async welcome(version: string): Promise<Guarding> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new HostError('internal', 'The guardian did not say what it knows.')), welcomeMs);
    });
    try {
      const welcome = await this.#awaiting(Promise.race([this.#welcome, late]));
      if (welcome.version !== version) {
        throw new HostError(
          'guardian_version',
          `The guardian (pid ${String(this.guardianPid)}) is nagaya ${welcome.version}, and what is installed now is ${version}.`,
          { guardian: welcome.version, installed: version, guardianPid: this.guardianPid },
        );
      }
      const deaths = (): Guarding['deaths'] => this.#deaths;
      return {
        link: this,
        get deaths() {
          return deaths();
        },
        escalated: welcome.escalated,
      };
    } finally {
      clearTimeout(timer);
    }
  }

  /** The guardian has died; called at once where it has already. */
  whenGone(gone: () => void): void {
    this.#gone = gone;
    if (!process.connected) gone();
  }

  readonly listenOnControl =
    (path: string): ListenOnControl =>
    async (server, prepare) => {
      const handle = await this.open({ kind: 'control', path });
      await prepare();
      await listenOn(server, handle);
      return new GuardedControl(server, this, path);
    };

  readonly listenOnPort = async (server: Server, host: string, port: number): Promise<void> => {
    await listenOn(server, await this.open({ kind: 'port', use: 'http', host, port }));
  };

  /** The descriptor of the port for webhooks, for a thread that listens on it. */
  readonly openWebhooks = async (host: string, port: number): Promise<number> =>
    (await this.open({ kind: 'port', use: 'webhooks', host, port })).fd;

  open(request: ListenerRequest): Promise<BoundHandle> {
    return this.#awaiting(
      new Promise((resolve, reject) => {
        const id = this.#nextId++;
        this.#waiting.set(id, { opened: resolve, refused: reject });
        this.send({ type: 'listen', id, request });
      }),
    );
  }

  /** `reload` answers why the configuration could not be read again. */
  whenReload(reload: () => Promise<string | undefined>): void {
    this.#reload = reload;
  }

  get keptByManager(): boolean {
    return this.#keptByManager;
  }

  whenRemade(remade: (handle: BoundHandle) => void): void {
    this.#remade = remade;
  }

  send(message: FromDaemon): void {
    // A guardian that is gone is told of by the end of the channel.
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  }

  #beginBeats(everyMs: number | undefined): void {
    if (everyMs === undefined || this.#beat !== undefined) return;
    this.#beat = setInterval(() => this.send({ type: 'beat' }), everyMs).unref();
  }

  #receive(message: FromGuardian, handle: BoundHandle): void {
    switch (message.type) {
      case 'welcome':
        this.#deaths = message.deaths;
        this.#beginBeats(message.beatMs);
        this.#keptByManager = message.keptByManager === true;
        this.#welcomed(message);
        break;
      case 'back':
        this.#deaths = this.#deaths.map((death, at) =>
          at === this.#deaths.length - 1 ? { ...death, backAfterMs: message.backAfterMs } : death,
        );
        break;
      case 'reload':
        void this.#reload().then((error) => this.send({ type: 'reloaded', ...(error === undefined ? {} : { error }) }));
        break;
      case 'remade':
        this.#remade(handle);
        break;
      case 'listener':
        this.#take(message.id)?.opened(handle);
        break;
      case 'refused':
        this.#take(message.id)?.refused(
          new HostError(message.error.code as ErrorCode, message.error.message, message.error.details),
        );
        break;
    }
  }

  #take(id: number) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}

/**
 * Each handle that came over the channel stays referenced by Node until the process ends; the server works on its
 * descriptor.
 */
async function listenOn(server: Server, handle: BoundHandle): Promise<void> {
  const listening = once(server, 'listening');
  server.listen({ fd: handle.fd });
  await listening;
}

/**
 * The control socket belongs to the guardian: the daemon takes over what it makes again, and says when it needs none
 * any more.
 */
class GuardedControl implements ControlListener {
  readonly #servers: Server[];
  readonly #link: GuardianLink;
  readonly #path: string;

  constructor(server: Server, link: GuardianLink, path: string) {
    this.#servers = [server];
    this.#link = link;
    this.#path = path;
    link.whenRemade((handle) => {
      // What connected through the old file goes on; nobody can come that way any more.
      const next = new Server({ allowHalfOpen: true }, (socket) => server.emit('connection', socket));
      next.on('error', (error) => server.emit('error', error));
      this.#servers.push(next);
      void listenOn(next, handle).catch((error: unknown) => server.emit('error', error));
    });
  }

  stopAccepting(): void {
    this.#link.send({ type: 'closed' });
    for (const server of this.#servers) server.close();
  }

  release(): void {
    if (process.connected) this.#link.send({ type: 'closed' });
    else if (!this.#link.keptByManager) SocketPlace.removeLeftOf(this.#path, process.pid);
  }
}
