// From a line to its answer: reads JSON-RPC 2.0, refuses what is not, calls the operation and hands the answer to the
// outbox. A handler that answers at once is answered at once, without a promise: this is the hot path.
import { HostError, asHostError } from '../../../protocol/errors.ts';
import { nestsDeeper } from '../../../protocol/framing.ts';
import {
  type RpcId,
  type SentJson,
  encodeAnswer,
  encodeRefusal,
  invalidParamsNumber,
  isRpcId,
  parseErrorNumber,
} from '../../../protocol/json-rpc.ts';
import { plural } from '../../../protocol/plural.ts';
import type { Limits } from '../../config/schema.ts';
import { CallReader } from './call-reader.ts';
import type { Caller } from '../../operations/caller.ts';
import type { ControlLog } from '../control-log.ts';
import { Deferred } from '../../operations/deferred.ts';
import type { OperationCalls } from '../operation-calls.ts';
import type { Outbox } from './outbox.ts';
import { RpcBatch } from './rpc-batch.ts';
import type { ConnectionCounters } from '../connection-counters.ts';

export interface DispatcherOptions {
  readonly calls: OperationCalls;
  readonly caller: Caller;
  readonly outbox: Outbox;
  readonly limits: Limits;
  readonly tally: ConnectionCounters;
  readonly log: ControlLog;
  /** Asked between the members of a batch. */
  mayGoOn(): boolean;
  /** A call that had to be waited for has been answered. */
  settled(): void;
  /** What was held goes on. */
  letGo(): void;
}

/** What a parsed message may hold; nothing of it is known to be right. */
interface Message {
  readonly jsonrpc?: unknown;
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: unknown;
}

const noParams = Object.freeze({});

export class RpcDispatcher {
  readonly #options: DispatcherOptions;
  readonly #reader: CallReader;
  #pending = 0;
  #holding = false;
  /** Of the pending ones, those that the host settles soon. */
  #brief = 0;
  #holdsForBrief = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#reader = new CallReader(options.limits);
  }

  /** Calls begun and not yet answered. */
  get pending(): number {
    return this.#pending;
  }

  /** Calls are pending that are answered as soon as something is on disk. */
  get waitsForDisk(): boolean {
    return this.#brief > 0;
  }

  /** Nothing more is to be taken until `letGo`. */
  get holding(): boolean {
    return this.#holding || this.#holdsForBrief;
  }

  /**
   * A line, with its newline at `end`. Answers the batch that is to be taken again in a later turn, where there is one.
   */
  take(bytes: Buffer, start: number, end: number): RpcBatch | undefined {
    const read = this.#reader.read(bytes, start, end);
    if (read !== undefined) {
      this.#call(read.id, read.method, read.params, undefined);
      return undefined;
    }
    const maximum = this.#options.limits.nesting;
    const work = bytes.toString('utf8', start, end);
    if (nestsDeeper(work, maximum)) {
      this.#refuse(
        null,
        new HostError('invalid_request', `The request nests deeper than ${String(maximum)} levels.`, {
          limit: 'limits.nesting',
          maximum,
        }),
      );
      return undefined;
    }
    let message: unknown;
    try {
      message = JSON.parse(work);
    } catch (error) {
      if (work.trim() !== '') this.#refuse(null, notJson(error), parseErrorNumber);
      return undefined;
    }
    if (Array.isArray(message)) return this.#openBatch(message);
    this.#request(message, undefined);
    return undefined;
  }

  #openBatch(members: readonly unknown[]): RpcBatch | undefined {
    const maximum = this.#options.limits.rpcBatch;
    if (members.length === 0) {
      this.#refuse(null, new HostError('invalid_request', 'A batch must hold at least one request.'));
      return undefined;
    }
    if (members.length > maximum) {
      this.#refuse(
        null,
        new HostError(
          'limit_too_large',
          `The batch holds ${plural(members.length, 'request')} and may hold ${String(maximum)}; limits.rpcBatch sets this bound.`,
          { limit: 'limits.rpcBatch', maximum },
        ),
      );
      return undefined;
    }
    return this.advance(new RpcBatch(members, this.#options.outbox));
  }

  /** As far as this turn allows; answers the batch where something of it is left. */
  advance(batch: RpcBatch): RpcBatch | undefined {
    while (batch.hasNext) {
      if (this.holding || !this.#options.mayGoOn()) return batch;
      this.#request(batch.next(), batch);
    }
    return undefined;
  }

  #request(message: unknown, batch: RpcBatch | undefined): void {
    const fault = faultOf(message);
    // Reading a property of null or undefined is what faultOf has excluded, and of anything else is harmless.
    const { id, method, params } = (message ?? noParams) as Message;
    if (fault !== undefined) {
      this.#deliver(encodeRefusal(isRpcId(id) ? id : null, new HostError('invalid_request', fault)), batch);
      return;
    }
    this.#call(id as RpcId | undefined, method as string, params, batch);
  }

  #call(id: RpcId | undefined, method: string, params: unknown, batch: RpcBatch | undefined): void {
    const { calls, caller, limits } = this.#options;
    let outcome: unknown;
    try {
      if (this.#pending - this.#brief >= limits.pendingCalls) throw tooManyCalls(limits.pendingCalls);
      outcome = calls.call(method, namedParams(params), caller);
    } catch (thrown) {
      this.#fail(id, method, thrown, batch);
      return;
    }
    if (outcome instanceof Deferred) this.#await(outcome, id, method, batch);
    else if (outcome instanceof Promise) this.#await(Deferred.of(outcome, { holds: false }), id, method, batch);
    else this.#succeed(id, method, outcome, batch);
  }

  #await(later: Deferred<unknown>, id: RpcId | undefined, method: string, batch: RpcBatch | undefined): void {
    this.#pending += 1;
    if (later.pausesConnection) this.#holding = true;
    if (later.isBrief) this.#countBrief(1);
    later.whenSettled((outcome) => {
      this.#pending -= 1;
      if (later.isBrief) this.#countBrief(-1);
      if (outcome.ok) this.#succeed(id, method, outcome.result, batch);
      else this.#fail(id, method, outcome.thrown, batch);
      if (later.pausesConnection) this.#letGo();
      this.#options.settled();
    });
  }

  /** Nobody is refused for being faster than the disk: nothing more is read until some of them are answered. */
  #countBrief(by: 1 | -1): void {
    const most = Math.max(1, this.#options.limits.pendingCalls / 2);
    this.#brief += by;
    if (this.#brief >= most) this.#holdsForBrief = true;
    if (!this.#holdsForBrief || this.#brief > most / 2) return;
    this.#holdsForBrief = false;
    // What is answered in this turn is answered before more is taken.
    setImmediate(() => this.#options.letGo());
  }

  #letGo(): void {
    this.#holding = false;
    this.#options.letGo();
  }

  #succeed(id: RpcId | undefined, method: string, result: unknown, batch: RpcBatch | undefined): void {
    let answer: SentJson | undefined;
    try {
      if (id !== undefined) answer = encodeAnswer(id, result);
    } catch (thrown) {
      this.#fail(id, method, thrown, batch);
      return;
    }
    this.#deliver(answer, batch);
  }

  #fail(id: RpcId | undefined, method: string, thrown: unknown, batch: RpcBatch | undefined): void {
    const error = asHostError(thrown);
    if (error !== thrown)
      this.#options.log.error({ err: thrown, operation: method }, 'an operation failed unexpectedly');
    if (id === undefined) {
      this.#options.tally.notificationsFailed += 1;
      this.#deliver(undefined, batch);
      return;
    }
    this.#deliver(this.#refusalOf(id, error), batch);
  }

  /** The envelope was right by now; JSON-RPC has a number of its own for parameters that are not. */
  #refusalOf(id: RpcId, error: HostError): string {
    try {
      return encodeRefusal(id, error, error.code === 'invalid_request' ? invalidParamsNumber : undefined);
    } catch (thrown) {
      this.#options.log.error({ err: thrown, code: error.code }, 'the details of an error could not be encoded');
      return encodeRefusal(id, asHostError(thrown));
    }
  }

  #refuse(id: RpcId, error: HostError, number?: number): void {
    this.#options.outbox.add(encodeRefusal(id, error, number));
  }

  #deliver(answer: SentJson | undefined, batch: RpcBatch | undefined): void {
    if (batch !== undefined) batch.settle(answer);
    else if (answer !== undefined) this.#options.outbox.add(answer);
  }
}

function faultOf(message: unknown): string | undefined {
  if (typeof message !== 'object' || message === null || Array.isArray(message))
    return 'A request must be a JSON object.';
  const { jsonrpc, id, method } = message as Message;
  if (jsonrpc !== '2.0') return 'The member "jsonrpc" must be "2.0".';
  if (typeof method !== 'string') return 'The member "method" must be the name of an operation.';
  if (id !== undefined && !isRpcId(id)) return 'The member "id" must be a string, a number or null.';
  return undefined;
}

function namedParams(params: unknown): unknown {
  if (params === undefined) return noParams;
  if (typeof params === 'object' && params !== null && !Array.isArray(params)) return params;
  const given = Array.isArray(params) ? 'by position' : 'as something else';
  throw new HostError('invalid_request', `Parameters are given by name, as an object, and not ${given}.`, {
    issues: [{ path: '', message: 'must be an object' }],
  });
}

function notJson(error: unknown): HostError {
  const reason = error instanceof Error ? error.message : 'unknown';
  return new HostError('invalid_request', `The line is not JSON: ${reason}`, {
    expected: 'one JSON-RPC 2.0 request or batch a line, in UTF-8',
  });
}

const tooManyCalls = (maximum: number): HostError =>
  new HostError(
    'too_many_requests',
    `This connection has ${plural(maximum, 'unanswered call')}, which is the limit. Raise limits.pendingCalls to allow more.`,
    { limit: 'limits.pendingCalls', maximum },
  );
