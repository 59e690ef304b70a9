// The guardian: the small parent process under which the daemon runs. It owns the listening sockets and the lock,
// passes signals and exit codes on, and brings the daemon back when a thread took it down. It loads no dependency.
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { asHostError } from '../../protocol/errors.ts';
import { identityOf } from '../isolates/process-identity.ts';
import { type RestartOptions, RestartPolicy } from '../services/restart-policy.ts';
import { type DaemonExit, DaemonProcess } from './daemon-process.ts';
import { Deaths } from './deaths.ts';
import { type Tell, guardianLog } from './guardian-log.ts';
import { exitProcess } from './lost-terminal.ts';
import { OwnedListeners, asRefusal } from './owned-listeners.ts';
import { ServiceManager, activatedDescriptor } from './service-manager.ts';
import type { FromDaemon } from './wire.ts';

/** Until the daemon has said what its configuration wants. */
const firstPolicy: RestartOptions = { policy: 'never', intensity: 0, periodMs: 1, backoffMs: [0, 0] };

const passedOn = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
const failed = 1;

export class Guardian {
  readonly #args: readonly string[];
  readonly #version: string;
  readonly #tell: Tell;
  readonly #listeners: OwnedListeners;
  readonly #deaths: Deaths;
  readonly #manager: ServiceManager | undefined;
  #policy = new RestartPolicy(firstPolicy, Math.random);
  #policyText = '';
  #daemon: DaemonProcess | undefined;
  #startedMs = 0;
  #diedMs: number | undefined;
  #ready = false;
  #ending = false;
  #pending: NodeJS.Timeout | undefined;

  constructor(args: readonly string[], tell: Tell) {
    this.#args = args;
    this.#tell = tell;
    this.#version = installedVersion();
    this.#deaths = new Deaths();
    this.#manager = ServiceManager.find(process.env, tell);
    this.#listeners = new OwnedListeners(
      (message) => tell('warn', message),
      (handle) => this.#daemon?.send({ type: 'remade' }, handle),
      activatedDescriptor(process.env),
    );
  }

  run(): void {
    for (const signal of passedOn)
      process.on(signal, () =>
        signal === 'SIGHUP' && this.#manager !== undefined ? this.#reload() : this.#pass(signal),
      );
    // Nothing that the daemon sends may end the guardian; what it meant is lost.
    process.on('uncaughtException', (error) =>
      this.#tell('error', 'the guardian met an error it did not foresee', { err: error.message }),
    );
    this.#start();
  }

  #start(): void {
    this.#pending = undefined;
    this.#ready = false;
    this.#startedMs = performance.now();
    this.#manager?.heard();
    this.#deaths.begin();
    const daemon = new DaemonProcess({
      args: this.#args,
      account: this.#deaths.accountDescriptor,
      report: this.#deaths.reportDescriptor,
      message: (message) => this.#receive(daemon, message),
      wrote: (text) => this.#deaths.heard(text, daemon.pid),
      ended: (exit) => this.#ended(exit),
    });
    this.#daemon = daemon;
    daemon.send({
      type: 'welcome',
      version: this.#version,
      deaths: this.#deaths.told,
      escalated: this.#deaths.escalated,
      ...(this.#manager?.beatMs === undefined ? {} : { beatMs: this.#manager.beatMs }),
      keptByManager: this.#listeners.keptByManager,
    });
    if (daemon.pid !== undefined) this.#listeners.nameDaemon(identityOf(daemon.pid));
  }

  #receive(daemon: DaemonProcess, message: FromDaemon): void {
    switch (message.type) {
      case 'listen':
        this.#listeners.open(message.request).then(
          (handle) => daemon.send({ type: 'listener', id: message.id }, handle),
          (error: unknown) => daemon.send({ type: 'refused', id: message.id, error: asRefusal(asHostError(error)) }),
        );
        break;
      case 'ready':
        this.#isReady(message.restart);
        break;
      case 'ending':
        this.#ending = true;
        void this.#manager?.stopping();
        break;
      case 'beat':
        this.#manager?.heard();
        break;
      case 'reloaded':
        if (message.error !== undefined) this.#tell('error', message.error);
        this.#manager?.ready(daemon.pid);
        break;
      case 'closed':
        this.#listeners.close();
        break;
      case 'forget':
        this.#deaths.forget(message.plugin);
        break;
    }
  }

  #isReady(restart: RestartOptions): void {
    this.#ready = true;
    // What has been counted stays counted, unless the configuration has changed.
    if (this.#policyText !== JSON.stringify(restart)) this.#policy = new RestartPolicy(restart, Math.random);
    this.#policyText = JSON.stringify(restart);
    this.#manager?.ready(this.#daemon?.pid);
    if (this.#diedMs === undefined) return;
    const backAfterMs = Math.round(performance.now() - this.#diedMs);
    this.#diedMs = undefined;
    this.#deaths.back(backAfterMs);
    this.#daemon?.send({ type: 'back', backAfterMs });
    this.#tell('info', 'the daemon is back', { pid: this.#daemon?.pid, backAfterMs });
  }

  /** From a service manager the signal means that the configuration has changed. */
  #reload(): void {
    if (this.#daemon === undefined || !this.#ready) return;
    this.#manager?.reloading();
    this.#daemon.send({ type: 'reload' });
  }

  #pass(signal: NodeJS.Signals): void {
    if (this.#pending === undefined) {
      this.#daemon?.signal(signal);
      return;
    }
    // There is no daemon just now, and none is wanted any more.
    clearTimeout(this.#pending);
    this.#end(0, null);
  }

  #ended(exit: DaemonExit): void {
    this.#daemon = undefined;
    if (this.#ending) {
      this.#end(exit.code, exit.signal);
      return;
    }
    if (!this.#ready && (this.#diedMs === undefined || exit.signal === null)) {
      // Its own words about why it did not start have been passed on.
      if (this.#diedMs !== undefined)
        this.#tell('error', 'the daemon did not start again: the guardian gives up', { exitCode: exit.code });
      this.#end(exit.code, exit.signal);
      return;
    }
    this.#died(exit);
  }

  #died(exit: DaemonExit): void {
    const death = this.#deaths.add(exit);
    this.#diedMs ??= exit.atMs;
    const how = exit.signal ?? `exit code ${String(exit.code)}`;
    const decision = this.#policy.failed(performance.now(), this.#ready ? exit.atMs - this.#startedMs : 0);
    const { at: _at, signal: _signal, exitCode: _exitCode, ...known } = death;
    this.#tell('error', `the daemon died of ${how}`, known);
    if (decision.kind === 'give_up') {
      this.#tell('error', `the guardian gives up: the daemon died of ${how}, and ${decision.reason}`);
      this.#end(failed, null);
      return;
    }
    this.#manager?.status(`the daemon died of ${how} and is started again`);
    this.#manager?.heard();
    this.#pending = setTimeout(() => this.#start(), decision.delayMs);
  }

  /** As the daemon ended, so that whoever started the command is told the same. */
  #end(code: number | null, signal: NodeJS.Signals | null): void {
    this.#listeners.close();
    if (signal !== null) {
      for (const passed of passedOn) process.removeAllListeners(passed);
      process.kill(process.pid, signal);
    }
    // A signal that does not end this process, as where it is ignored, is told by the shell's number for it.
    setImmediate(() => exitProcess(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  }
}

function installedVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return version;
}

export function runGuardian(argv: readonly string[]): void {
  new Guardian([process.argv[1] ?? '', ...argv], guardianLog(argv.includes('--json'))).run();
}
