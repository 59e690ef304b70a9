// nagaya/sdk: what plugin authors import. Everything here is types, identity functions and two small classes of errors,
// so that a cell that loads it pays next to nothing; the test harness is loaded only by tests.
import type { IngressEvent } from '../../protocol/event.ts';
import type { PluginLogger } from '../cell-log.ts';

export type { IngressEvent } from '../../protocol/event.ts';
export type { PluginLogger } from '../cell-log.ts';

export { PermanentError, RetryLater, type RetryLaterOptions } from './retry-errors.ts';

export interface PluginIdentity {
  readonly id: string;
  readonly name: string;
  readonly version: string;
}

export interface CellContext {
  readonly plugin: PluginIdentity;
  /** `plugins.overrides.<id>.config` of the daemon's configuration. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Lines of this plugin's own log, with the correlation id of the event they belong to. */
  readonly log: PluginLogger;
  /** Aborted shortly before the cell is ended. */
  readonly signal: AbortSignal;
}

/** What a service, or one worker, keeps: small values that outlive its cell and the daemon. */
export interface PluginState {
  /** Undefined where the key is not there. A value of its own: what is done to it stays with the caller. */
  get(key: string): unknown;
  /** Throws `state_too_large` where all keys and values together exceed `limits.stateBytes`. */
  set(key: string, value: unknown): void;
  /** Whether it was there. */
  delete(key: string): boolean;
  /** In the order of their characters. */
  keys(): string[];
}

export interface ServiceContext extends CellContext {
  /**
   * Written by `start`, and by the ctx of an event while that is handled. What an event writes is kept if it is
   * handled, and forgotten if it fails.
   */
  readonly state: PluginState;
  /** Which life of the service this is, counted from 1. */
  readonly incarnation: number;
}

export interface SendOptions {
  /** Commands of one key go out one after the other; absent: all of the output. */
  readonly key?: string;
  /** Of an output of type http: below its URL. */
  readonly path?: string;
  /** Of an output of type mqtt: below its topic. */
  readonly topic?: string;
}

/** What the handler of an event gets. */
export interface IngressContext extends ServiceContext {
  /**
   * Sends a command to an output that plugin.json declares. It goes out if the event is handled, and is dropped if it
   * fails. Returns the id of the command, the same at each attempt. Throws `output_not_found`, `too_many_commands` or
   * `command_too_large`.
   */
  send(output: string, body: unknown, options?: SendOptions): string;
}

export interface Service {
  /** Initialises and returns; events come to handleIngress afterwards. */
  start(ctx: ServiceContext): unknown;
  /**
   * Called for one event at a time. What it returns is the output that ingress.deliver answers with. A published event
   * whose handler throws is tried again as `service.retry` says; see PermanentError and RetryLater.
   */
  handleIngress(event: IngressEvent, ctx: IngressContext): unknown;
  /** The service's own word on its state: anything that is JSON. */
  status?(): unknown;
  stop?(ctx: ServiceContext): unknown;
}

export interface ProfileInput {
  /** The same in the transcript, in the log and here. */
  readonly eventId: string;
  readonly kind: 'user' | 'system';
  readonly content: string;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** One earlier item of the worker's transcript. */
export interface HistoryItem {
  readonly role: 'user' | 'system' | 'worker';
  readonly content: string;
}

export interface ProfileContext extends CellContext {
  readonly worker: { readonly runtimeId: string; readonly workerId: string };
  /**
   * Of this worker alone. What an input writes is kept if it is done, and forgotten if it fails or is cancelled.
   */
  readonly state: PluginState;
  /**
   * Which life of this worker's cell this is, counted from 1: what the module remembers is gone with the one before.
   */
  readonly incarnation: number;
  /** Aborted when this input is cancelled, and shortly before the cell is ended; each input has its own. */
  readonly signal: AbortSignal;
  /**
   * Puts the next piece of the answer into the transcript. Throws where it is no text, or one more than may be said.
   */
  say(text: string): void;
  /** What was said before this input, oldest first and bounded. */
  history(): HistoryItem[];
}

export interface Profile {
  /** Called for one input at a time; the answer is what it says until it returns. */
  onInput(input: ProfileInput, ctx: ProfileContext): unknown;
}

export interface ToolContext extends CellContext {
  readonly tool: string;
  readonly callId?: string;
  /**
   * Tells the caller how far the call has come: so much done, of so much in all, in any unit. The caller hears of it at
   * once or, where that would be more often than 20 times a second, of the newest a moment later. A message is cut at
   * 500 characters. Throws where an argument is no number that is 0 or more.
   */
  progress(done: number, total?: number, message?: string): void;
}

export type Tool<Input = unknown, Output = unknown> = (input: Input, ctx: ToolContext) => Output | Promise<Output>;

export function defineService(service: Service): Service {
  return service;
}

export function defineTool<Input = unknown, Output = unknown>(tool: Tool<Input, Output>): Tool<Input, Output> {
  return tool;
}

export function defineProfile(profile: Profile): Profile {
  return profile;
}

export type { EmitFields, EventFields, PluginUnderTest, TestPluginOptions } from './test-plugin.ts';
export type { WorkerReply, WorkerUnderTest } from './test-worker.ts';

/** Runs a plugin for a test in a real daemon of its own; see TestPluginOptions. Loaded only when it is called. */
export const testPlugin: typeof import('./test-plugin.ts').testPlugin = async (folder, options) => {
  const harness = await import('./test-plugin.ts');
  return await harness.testPlugin(folder, options);
};
