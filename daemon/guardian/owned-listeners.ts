// The listening sockets that outlive each daemon: bound by the guardian, listened on by the daemon of the moment. A
// client that connects while there is no daemon waits in the socket's backlog.
import { lookup } from 'node:dns/promises';
import { getSystemErrorName } from 'node:util';
import { type HostError, asHostError } from '../../protocol/errors.ts';
import { SocketPlace, unusable } from '../control/socket/socket-place.ts';
import type { ProcessIdentity } from '../isolates/process-identity.ts';
import { type BoundHandle, bindPath, bindPort, openDescriptor } from './bound-handle.ts';
import type { ListenerRequest } from './wire.ts';

/** How often the control socket's file is looked for. */
const lookEveryMs = 1000;

interface Control {
  readonly place: SocketPlace;
  handle: BoundHandle;
}

export class OwnedListeners {
  #control: Control | undefined;
  readonly #ports = new Map<string, BoundHandle>();
  readonly #told: (message: string) => void;
  readonly #remade: (handle: BoundHandle) => void;
  readonly #activated: number | undefined;
  #daemon: ProcessIdentity | undefined;
  #look: NodeJS.Timeout | undefined;
  #foreign = false;

  /** `remade` is called with another handle when the control socket had to be made again. */
  /** `activated`: the descriptor of a control socket that a service manager has opened, and keeps. */
  constructor(told: (message: string) => void, remade: (handle: BoundHandle) => void, activated?: number) {
    this.#activated = activated;
    this.#told = told;
    this.#remade = remade;
  }

  /** The same handle for the same request, for as long as the guardian lives. Throws a HostError. */
  async open(request: ListenerRequest): Promise<BoundHandle> {
    try {
      return request.kind === 'control'
        ? await this.#openControl(request.path)
        : await this.#openPort(request.use, request.host, request.port);
    } catch (thrown) {
      throw asHostError(thrown);
    }
  }

  /** The control socket is a service manager's. */
  get keptByManager(): boolean {
    return this.#activated !== undefined;
  }

  /** The daemon that runs now; the lock names it. */
  nameDaemon(daemon: ProcessIdentity): void {
    this.#daemon = daemon;
    this.#control?.place.nameDaemon(daemon);
  }

  /** No more clients: those that wait are refused, and the path is free. */
  close(): void {
    clearInterval(this.#look);
    for (const handle of this.#ports.values()) handle.close();
    this.#ports.clear();
    if (this.#control !== undefined) this.#closeControl(this.#control);
    this.#control = undefined;
  }

  async #openControl(path: string): Promise<BoundHandle> {
    if (this.#control?.place.path === path) return this.#control.handle;
    // The configuration has changed since the daemon before this one.
    if (this.#control !== undefined) this.#closeControl(this.#control);
    this.#control = undefined;
    const inherited = this.#activated;
    const place = await (inherited === undefined ? SocketPlace.claim(path) : SocketPlace.inherit(path));
    try {
      this.#control = { place, handle: inherited === undefined ? bindAt(place) : openInherited(path, inherited) };
    } catch (error) {
      place.release();
      throw error;
    }
    if (this.#daemon !== undefined) place.nameDaemon(this.#daemon);
    // What the manager has made is the manager's to look after.
    if (inherited === undefined) this.#look ??= setInterval(() => this.#lookAtControl(), lookEveryMs).unref();
    return this.#control.handle;
  }

  /** Two that take any free port take one each. */
  async #openPort(use: string, host: string, port: number): Promise<BoundHandle> {
    const key = `${use} ${host} ${String(port)}`;
    const known = this.#ports.get(key);
    if (known !== undefined) return known;
    const { address } = await lookup(host);
    const handle = bindPort(address, port, getSystemErrorName);
    this.#ports.set(key, handle);
    return handle;
  }

  #closeControl({ place, handle }: Control): void {
    // libuv removes the file of the socket it bound, whatever lies there by now: what is foreign is left open, and
    // unused.
    if (this.#activated !== undefined || place.look() === 'foreign') handle.unref();
    else handle.close();
    place.release();
  }

  #lookAtControl(): void {
    const control = this.#control;
    if (control === undefined) return;
    const found = control.place.look();
    if (found === 'foreign' && !this.#foreign)
      this.#told(
        `${control.place.path} has been replaced by something that is not the socket of this daemon; remove it, and the socket is made again`,
      );
    this.#foreign = found === 'foreign';
    if (found !== 'nothing') return;
    try {
      control.handle.close();
      control.handle = bindAt(control.place);
    } catch (error) {
      this.#told(
        `${control.place.path} was removed and cannot be made again: ${error instanceof Error ? error.message : String(error)}`,
      );
      return;
    }
    this.#told(`${control.place.path} was removed and has been made again`);
    this.#remade(control.handle);
  }
}

function bindAt(place: SocketPlace): BoundHandle {
  let bound: BoundHandle | number = 0;
  place.make(() => (bound = bindPath(place.path)));
  if (typeof bound === 'number') throw unusable(place.path, getSystemErrorName(bound), 'cannot be made');
  place.confirm();
  return bound;
}

function openInherited(path: string, descriptor: number): BoundHandle {
  const opened = openDescriptor(descriptor);
  if (typeof opened === 'number')
    throw unusable(path, getSystemErrorName(opened), 'that the service manager gave is none');
  return opened;
}

export const asRefusal = ({ code, message, details }: HostError) => ({ code, message, details });
