// The cell of a hosted MCP server: a process of its own group, or none for one that is reached over HTTP. It has the
// promises of every process cell: its memory and descriptors are bounded, its environment holds only named variables,
// its end is the kill ladder's, and what it has started ends with it.
import { type ChildProcess, spawn } from 'node:child_process';
import type { LoadedService } from '../../cells/cell.ts';
import type { CallOutcome, Cell, CellEnd, CellListener, CellSpec, CellUsage } from '../../cells/cell.ts';
import { KillLadder, type KillLimits } from '../../cells/kill-ladder.ts';
import { childEnd } from '../../cells/process/child-end.ts';
import type { ChildExit } from '../../isolates/child-exit.ts';
import { PipeLines } from '../../cells/process/pipe-lines.ts';
import type { CellRecorder } from '../../cells/process/process-cell.ts';
import { signalGroup } from '../../isolates/child-signals.ts';
import { type ProcessIdentity, isSurelyAlive } from '../../isolates/process-identity.ts';
import { identitiesBelow, killRemaining } from '../../isolates/process-tree.ts';
import { ProcessVitals } from '../../isolates/process-vitals.ts';
import { cellOwner } from '../../isolates/cell-meters.ts';
import type { Whereabouts } from '../../isolates/whereabouts.ts';
import { awakeTime } from '../../time/awake-time.ts';
import type { Timer } from '../../time/clock.ts';
import type { StartedService } from '../../../protocol/cell/messages.ts';
import { flattenError } from '../../../protocol/cell/plain-error.ts';
import { ProgressRegister } from '../../../protocol/cell/register.ts';
import type { ServerAbout, ServerTool } from '../../../protocol/mcp/messages.ts';
import type { McpGateway, OpenServer, ServerListener } from '../mcp-gateway.ts';
import { type ServerCommand, boundedShell, isMissing, notFoundCode } from './server-command.ts';

/** More than this on its way to the thread, and nothing more is read from the server. */
const windowBytes = 1024 * 1024;
/** What the server has not read of what was written to it; beyond it, it does not read at all. */
const mostUnread = 64 * 1024 * 1024;
const drainMs = 200;

/** What the cell tells those who call the server's tools. */
export interface ServerUser {
  ready(server: OpenServer, about: ServerAbout, tools: readonly ServerTool[]): void;
  tools(server: OpenServer, tools: readonly ServerTool[]): void;
  answer: ServerListener['answer'];
  progressed: ServerListener['progressed'];
  refused(method: string): void;
  /** No call begins with it any more; those that are with it may still be answered. */
  ending(server: OpenServer): void;
  /** Nothing more comes from it. */
  gone(server: OpenServer, why: string): void;
  /** Calls that are with it. */
  pending(server: OpenServer): number;
}

export interface ServerCellParts {
  readonly limits: KillLimits;
  readonly records: CellRecorder;
  readonly gateway: McpGateway;
  readonly user: ServerUser;
  readonly open: Parameters<McpGateway['openServer']>[0];
  /** Left out of a server that is reached over HTTP. */
  readonly command?: ServerCommand;
}

export class ServerCell implements Cell {
  readonly register = new ProgressRegister();
  readonly malformed = 0;
  readonly #listener: CellListener;
  readonly #parts: ServerCellParts;
  readonly #child: ChildProcess | undefined;
  readonly #output: PipeLines | undefined;
  readonly #vitals: ProcessVitals | undefined;
  readonly #server: OpenServer;
  readonly #ladder: KillLadder;
  readonly #ended: Promise<CellEnd>;
  #tellEnded: (end: CellEnd) => void = () => {};
  readonly #ready: Promise<void>;
  #tellReady: () => void = () => {};
  #about: ServerAbout | undefined;
  #tools = 0;
  #exit: ChildExit | undefined;
  /** Why the host ends it. */
  #cause: CellEnd | undefined;
  /** What it has started, also what has left its group since. */
  readonly #started = new Map<number, ProcessIdentity>();
  #looking: Timer | undefined;
  #onTheWay = 0;
  #stopping = false;
  #over = false;
  #unkillable = false;

  constructor(spec: CellSpec, listener: CellListener, parts: ServerCellParts) {
    const { command, gateway, limits, open, records } = parts;
    this.#listener = listener;
    this.#parts = parts;
    this.#ended = new Promise((resolve) => (this.#tellEnded = resolve));
    this.#ready = new Promise((resolve) => (this.#tellReady = resolve));
    this.#ladder = new KillLadder(limits, {
      abort: () => undefined,
      terminate: () => this.#terminate(limits.abortGraceMs),
      giveUp: () => this.#giveUp(),
    });
    this.#child = command === undefined ? undefined : startServer(command, spec);
    this.#server = gateway.openServer(open, this.#heard());
    const child = this.#child;
    if (child === undefined) return;
    child.on('error', (error) => this.#failed(error));
    child.once('exit', (code, signal) => this.#exited({ code, signal }));
    child.stdin?.on('error', () => this.#deaf('standard input'));
    child.stdout?.on('data', (chunk: Buffer) => this.#wrote(chunk));
    child.stdout?.on('error', () => undefined);
    child.stdout?.once('end', () => this.#deaf('standard output'));
    this.#output = new PipeLines({ stdout: null, stderr: child.stderr }, spec.logBytesPerSecond, listener);
    if (child.pid === undefined) return;
    records.add(child.pid, spec.name);
    this.#lookForStarted(child.pid);
    this.#vitals = new ProcessVitals(child.pid, cellOwner(spec.name), spec, {
      silent: true,
      idle: () => false,
      overstepped: (reason, error) => this.#endFor({ reason, error, exitCode: null }),
    });
  }

  load(): Promise<CallOutcome<LoadedService>> {
    return Promise.resolve({ ok: true, value: { hasStatus: true, hasStop: true } });
  }

  async start(deadlineMs: number): Promise<CallOutcome<StartedService>> {
    const outcome = await this.#within(deadlineMs, this.#ready);
    return outcome === 'done' ? { ok: true, value: { state: null } } : outcome;
  }

  status(): Promise<CallOutcome<string>> {
    const { protocolVersion, name, version, capabilities } = this.#about ?? {};
    return Promise.resolve({
      ok: true,
      value: JSON.stringify({ server: { name, version }, protocolVersion, capabilities, tools: this.#tools }),
    });
  }

  /** The calls that are with it end first, then its input does: that is how a server is told to stop. */
  async stop(deadlineMs: number): Promise<CallOutcome<null>> {
    this.#stopping = true;
    const dueMs = awakeTime.nowMs() + deadlineMs;
    while (!this.#over && this.#parts.user.pending(this.#server) > 0 && awakeTime.nowMs() < dueMs - lastMs)
      await new Promise<void>((resolve) => awakeTime.after(lookMs, resolve));
    this.#child?.stdin?.end();
    if (this.#child === undefined) return { ok: true, value: null };
    const outcome = await this.#within(Math.max(1, dueMs - awakeTime.nowMs()), this.#exits());
    return outcome === 'done' || outcome.phase === 'ended' ? { ok: true, value: null } : outcome;
  }

  // Nothing is ever dispatched to it.
  send(): void {}
  drain(): void {}
  abort(): void {}

  kill(reason: string): void {
    if (!this.#over) this.#ladder.climb(reason);
  }

  end(): void {
    if (!this.#over) this.#ladder.terminate();
  }

  locate(): Promise<Whereabouts> {
    return Promise.resolve({ kind: 'unknown', frames: [] });
  }

  usage(): CellUsage {
    const rssMb = this.#vitals?.rssMb;
    return {
      ...(this.#child?.pid === undefined ? {} : { pid: this.#child.pid }),
      heapUsedMb: 0,
      ...(rssMb === undefined ? {} : { rssMb: Number(rssMb.toFixed(1)) }),
      utilization: Number((this.#vitals?.utilization ?? 0).toFixed(3)),
      unkillable: this.#unkillable,
    };
  }

  #heard(): ServerListener {
    const { user } = this.#parts;
    return {
      text: (text) => this.#write(text),
      taken: (bytes) => {
        this.#onTheWay -= bytes;
        if (this.#onTheWay <= windowBytes) this.#child?.stdout?.resume();
      },
      ready: (about, tools) => {
        this.#about = about;
        this.#tools = tools.length;
        user.ready(this.#server, about, tools);
        this.#tellReady();
      },
      tools: (tools) => {
        this.#tools = tools.length;
        user.tools(this.#server, tools);
      },
      fault: (message) => this.#faulty(message),
      answer: (call, answer) => user.answer(call, answer),
      progressed: (call, progress) => user.progressed(call, progress),
      refused: (method) => user.refused(method),
      said: (level, text) => this.#listener.log({ type: 'log', level, stream: 'log', text, at: Date.now() }),
    };
  }

  #write(text: string): void {
    const stdin = this.#child?.stdin;
    if (stdin?.writable !== true) return;
    stdin.write(text);
    if (stdin.writableLength > mostUnread) this.#faulty('the server does not read its input');
  }

  #faulty(message: string): void {
    this.#endFor({ reason: 'ended', error: { name: 'McpServerFault', message }, exitCode: null });
  }

  /** A server without one of its streams cannot be spoken to; one that ends by itself has a moment for that. */
  #deaf(stream: string): void {
    awakeTime.after(drainMs, () => {
      if (this.#exit === undefined && !this.#stopping) this.#faulty(`the server closed its ${stream} and went on`);
    });
  }

  #wrote(chunk: Buffer): void {
    this.#onTheWay += chunk.length;
    // The chunk may be a part of memory that others use.
    this.#server.push(new Uint8Array(chunk));
    if (this.#onTheWay > windowBytes) this.#child?.stdout?.pause();
  }

  #exits(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#exit !== undefined) resolve();
      else this.#child?.once('exit', () => resolve());
    });
  }

  async #within(
    deadlineMs: number,
    done: Promise<void>,
  ): Promise<'done' | Exclude<CallOutcome<never>, { readonly ok: true }>> {
    return await new Promise((resolve) => {
      const timer = awakeTime.after(deadlineMs, () => resolve({ ok: false, phase: 'deadline' }));
      void done.then(() => {
        timer.cancel();
        resolve('done');
      });
      void this.#ended.then((end) => {
        timer.cancel();
        resolve({ ok: false, phase: 'ended', end });
      });
    });
  }

  #terminate(graceMs: number): void {
    if (this.#child === undefined) {
      this.#end(this.#cause ?? killed);
      return;
    }
    this.#signal('SIGTERM');
    awakeTime.after(graceMs, () => this.#signal('SIGKILL'));
  }

  #signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    const pid = this.#child?.pid;
    if (pid === undefined || this.#exit !== undefined) return;
    this.#remember(pid);
    signalGroup(pid, signal);
  }

  /** Who has left its group is found only while the server is there, and ended when it is gone. */
  #remember(pid: number): void {
    for (const identity of identitiesBelow(pid)) this.#started.set(identity.pid, identity);
  }

  /** It may start something and end by itself. */
  #lookForStarted(pid: number): void {
    if (this.#exit !== undefined || this.#over) return;
    for (const [started, identity] of this.#started) if (!isSurelyAlive(identity)) this.#started.delete(started);
    this.#remember(pid);
    this.#looking = awakeTime.after(startedMs, () => this.#lookForStarted(pid));
  }

  #endFor(end: CellEnd): void {
    if (this.#over) return;
    this.#cause ??= end;
    this.#parts.user.ending(this.#server);
    this.#ladder.terminate();
    this.#signal('SIGKILL');
  }

  #failed(error: Error): void {
    if (this.#child?.pid !== undefined) return;
    const { command } = this.#parts;
    this.#end({
      reason: 'spawn_failed',
      error: {
        ...flattenError(error),
        message: `the command ${JSON.stringify(command?.command ?? '')} could not be started: ${error.message}`,
      },
      exitCode: null,
    });
  }

  #exited(exit: ChildExit): void {
    this.#exit = exit;
    this.#parts.user.ending(this.#server);
    this.#ladder.stop();
    this.#vitals?.stop();
    const { pid } = this.#child ?? {};
    // What it has started ends with it.
    if (pid !== undefined) signalGroup(pid, 'SIGKILL');
    this.#looking?.cancel();
    killRemaining([...this.#started.values()]);
    this.#output?.finish();
    if (this.#unkillable) {
      if (pid !== undefined) this.#parts.records.remove(pid);
      this.#listener.leftBehindEnded?.();
    }
    // Its last words are read first; a process that has left the group may hold the pipes open.
    const decide = (): void =>
      this.#end(this.#cause ?? (this.#ladder.climbing || this.#stopping ? killed : this.#own(exit)));
    this.#child?.once('close', decide);
    awakeTime.after(drainMs, () => setImmediate(decide));
  }

  #own(exit: ChildExit): CellEnd {
    const { command } = this.#parts;
    if (exit.code === notFoundCode && command !== undefined && isMissing(command))
      return {
        reason: 'ended',
        error: {
          name: 'CellEnded',
          message: `there is no program ${JSON.stringify(command.command)}: mcp.command is looked for in the daemon's PATH`,
        },
        exitCode: exit.code,
      };
    const end = childEnd(exit, this.#output?.tail ?? '');
    return {
      ...end,
      error: { ...end.error, message: end.error.message.replace("the cell's process", 'the MCP server') },
    };
  }

  #giveUp(): void {
    this.#unkillable = true;
    this.#child?.unref();
    this.#listener.unkillable();
    this.#end(killed);
  }

  #end(end: CellEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#ladder.stop();
    this.#vitals?.stop();
    const { pid } = this.#child ?? {};
    if (pid !== undefined && !this.#unkillable) this.#parts.records.remove(pid);
    this.#output?.close();
    this.#child?.stdout?.destroy();
    this.#child?.stdin?.destroy();
    this.#server.gone();
    this.#parts.user.gone(this.#server, end.error.message);
    this.#tellEnded(end);
    this.#listener.ended(end);
  }
}

/** What is kept of the stop's time for the server's own end. */
const lastMs = 1000;
const lookMs = 20;
const startedMs = 500;

const killed: CellEnd = {
  reason: 'killed',
  error: { name: 'CellEnded', message: 'the MCP server was ended' },
  exitCode: null,
};

function startServer({ command, args, cwd }: ServerCommand, spec: CellSpec): ChildProcess {
  return spawn('/bin/sh', ['-c', boundedShell(spec.descriptors), command, ...args], {
    cwd,
    env: { ...spec.env },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}
