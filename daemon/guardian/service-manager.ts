// What the guardian tells the service manager under which it runs (systemd): that the daemon is ready, reads its
// configuration again, stops, and is alive. Node has no datagram sockets of the unix kind, so that systemd's own
// program sends what is said.
import { type ChildProcess, spawn } from 'node:child_process';
import type { Tell } from './guardian-log.ts';

type Environment = NodeJS.ProcessEnv;

/** Set in the description of a service for a manager that is told nothing, such as launchd. */
export const serviceVariable = 'NAGAYA_SERVICE';
const told = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID', serviceVariable] as const;
const activated = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'] as const;

/** The first descriptor that a service manager passes on. */
const firstDescriptor = 3;
/** Of the period within which the manager wants to hear: it hears several times in each. */
const tellsInPeriod = 3;
/** How often the daemon says that its event loop turns. */
const beatsInPeriod = 6;
const leastBeatMs = 100;
/** A program that does not end is not waited for. */
const sendMs = 5000;
const program = 'systemd-notify';

export class ServiceManager {
  readonly #tell: Tell;
  readonly #socket: string | undefined;
  readonly #periodMs: number | undefined;
  /** One message after the other. */
  #sent: Promise<void> = Promise.resolve();
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;
  #complained = false;
  #heardMs = performance.now();

  private constructor(env: Environment, tell: Tell) {
    const micros = Number(env['WATCHDOG_USEC']);
    const isMeant = env['WATCHDOG_PID'] === undefined || env['WATCHDOG_PID'] === String(process.pid);
    this.#tell = tell;
    this.#socket = env['NOTIFY_SOCKET'];
    this.#periodMs = micros > 0 && isMeant && this.#socket !== undefined ? micros / 1000 : undefined;
  }

  /** Undefined where there is none. What it said in the environment is not passed on to the daemon. */
  static find(env: Environment, tell: Tell): ServiceManager | undefined {
    const isThere = env['NOTIFY_SOCKET'] !== undefined || env[serviceVariable] !== undefined;
    const manager = isThere ? new ServiceManager(env, tell) : undefined;
    for (const name of told) delete env[name];
    return manager;
  }

  /** How often the daemon has to tell that it is alive; undefined where nobody wants to know. */
  get beatMs(): number | undefined {
    return this.#periodMs === undefined ? undefined : Math.max(leastBeatMs, Math.round(this.#periodMs / beatsInPeriod));
  }

  ready(daemonPid: number | undefined): void {
    this.#send(
      'READY=1',
      `STATUS=running${daemonPid === undefined ? '' : `; the daemon is process ${String(daemonPid)}`}`,
    );
    if (this.#periodMs === undefined || this.#timer !== undefined) return;
    const everyMs = this.#periodMs / tellsInPeriod;
    this.#timer = setInterval(() => this.#watchdog(everyMs), everyMs).unref();
  }

  /** The daemon has told that it is alive, or there is none just now and the guardian sees to it. */
  heard(): void {
    this.#heardMs = performance.now();
  }

  status(text: string): void {
    this.#send(`STATUS=${text}`);
  }

  reloading(): void {
    // The manager takes the end of a reload for true only with the time of its beginning.
    this.#send('RELOADING=1', `MONOTONIC_USEC=${String(process.hrtime.bigint() / 1000n)}`);
  }

  async stopping(): Promise<void> {
    clearInterval(this.#timer);
    this.#send('STOPPING=1');
    await this.#sent;
  }

  /** Nothing is said for a daemon that was not heard of: the manager then ends the service within its period. */
  #watchdog(everyMs: number): void {
    if (performance.now() - this.#heardMs <= everyMs) this.#send('WATCHDOG=1');
    else if (!this.#complained) {
      this.#complained = true;
      this.#tell('error', 'the daemon does not tell that it is alive; the service manager is not told so either');
    }
  }

  #send(...lines: readonly string[]): void {
    const socket = this.#socket;
    // A program that hangs must not let messages gather.
    if (socket === undefined || this.#waiting >= 4) return;
    this.#waiting += 1;
    this.#sent = this.#sent
      .then(() => run(lines, socket))
      .catch((error: unknown) => this.#failed(error))
      .finally(() => (this.#waiting -= 1));
  }

  #failed(error: unknown): void {
    if (this.#complained) return;
    this.#complained = true;
    this.#tell('warn', `${program} cannot tell the service manager anything`, {
      err: error instanceof Error ? error.message : String(error),
    });
  }
}

function run(lines: readonly string[], socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = spawn(program, [...lines], {
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', NOTIFY_SOCKET: socket },
      stdio: 'ignore',
      timeout: sendMs,
      killSignal: 'SIGKILL',
    });
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`it ended with ${signal ?? `exit code ${String(code)}`}`)),
    );
  });
}

/** The descriptor of the control socket that the manager has opened, if it has; taken out of the environment. */
export function activatedDescriptor(env: Environment): number | undefined {
  const isMeant = env['LISTEN_PID'] === String(process.pid) && Number(env['LISTEN_FDS']) >= 1;
  const at = (env['LISTEN_FDNAMES'] ?? '')
    .split(':')
    .findIndex((name) => name === 'nagaya.socket' || name === 'control');
  for (const name of activated) delete env[name];
  return isMeant ? firstDescriptor + Math.max(0, at) : undefined;
}
