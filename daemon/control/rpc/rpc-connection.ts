// One connection that speaks newline-delimited JSON-RPC: its reader. Lines are cut from what arrives and given to the
// dispatcher; while the peer does not read its answers, or has had its share of a turn, they wait and nothing more is
// read from it.
import type { Socket } from 'node:net';
import { HostError } from '../../../protocol/errors.ts';
import { LineCutter } from '../../../protocol/framing.ts';
import { encodeRefusal } from '../../../protocol/json-rpc.ts';
import { type Connection, noticeDeparture, partFrom, partOnceRead } from '../connection.ts';
import { awakeTime } from '../../time/awake-time.ts';
import type { ControlContext } from '../control-context.ts';
import { Outbox } from './outbox.ts';
import type { RpcBatch } from './rpc-batch.ts';
import { RpcCaller } from './rpc-caller.ts';
import { RpcDispatcher } from './rpc-dispatcher.ts';
import { Subscriptions } from '../subscriptions.ts';
import { TurnBudget } from './turn-budget.ts';

const newline = Buffer.from('\n');

export class RpcConnection implements Connection {
  readonly #socket: Socket;
  readonly #context: ControlContext;
  readonly #cutter: LineCutter;
  readonly #outbox: Outbox;
  readonly #budget: TurnBudget;
  readonly #subscriptions: Subscriptions;
  readonly #caller: RpcCaller;
  readonly #dispatcher: RpcDispatcher;
  /** Begun, and to be gone on with in a later turn. */
  #batch: RpcBatch | undefined;
  #lines = 0;
  /** No more requests are taken: the peer has ended its side, or we are to finish. */
  #ending = false;
  #finishingLastLine = false;
  #gone = false;
  /** Nothing more is read in this turn. */
  #diskBegins = false;

  constructor(id: string, socket: Socket, context: ControlContext) {
    const { limits } = context;
    this.#socket = socket;
    this.#context = context;
    this.#subscriptions = new Subscriptions(context.feed, limits);
    this.#outbox = new Outbox(socket, limits.answerBytes, {
      roomAgain: () => this.#goOn(),
      overflow: () => this.#cutOffUnheard(),
    });
    this.#budget = new TurnBudget(() => this.#goOn());
    this.#caller = new RpcCaller(id, this.#outbox, this.#subscriptions);
    this.#dispatcher = new RpcDispatcher({
      ...context,
      caller: this.#caller,
      outbox: this.#outbox,
      mayGoOn: () => !this.#gone && !this.#budget.spent(),
      settled: () => this.#endIfDone(),
      letGo: () => this.#goOn(),
    });
    this.#cutter = new LineCutter(
      limits.lineBytes,
      {
        line: (bytes, start, end) => this.#line(bytes, start, end),
        tooLong: () => this.cutOff(tooLong(limits.lineBytes)),
        ready: () => this.#mayTake(),
      },
      { bound: context.halfLines, full: () => this.cutOff(context.halfLines.refusal()) },
    );

    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.#peerEnded());
    socket.on('close', () => this.#leave());
  }

  get unfinished(): number | undefined {
    const ours = this.#ending || this.#waits;
    return this.#cutter.pendingBytes > 0 && !ours ? this.#lines : undefined;
  }

  /** Calls that were not answered. */
  get pending(): number {
    return this.#dispatcher.pending;
  }

  cutOff(reason: HostError): void {
    if (this.#gone) return;
    this.#count(reason.code);
    this.#gone = true;
    this.#outbox.add(encodeRefusal(null, reason));
    this.#leave();
    partFrom(this.#socket);
  }

  finish(): void {
    if (this.#gone) return;
    this.#ending = true;
    this.#goOn();
  }

  #receive(chunk: Buffer): void {
    if (this.#ending || this.#gone) return;
    this.#caller.arrivedMs = awakeTime.nowMs();
    this.#cutter.push(chunk);
    if (this.#dispatcher.waitsForDisk) this.#letDiskBegin();
    if (this.#waits) this.#socket.pause();
  }

  /** What was read goes to the disk at the end of this turn, and more is read behind that: the disk works meanwhile. */
  #letDiskBegin(): void {
    this.#diskBegins = true;
    setImmediate(() => {
      this.#diskBegins = false;
      this.#goOn();
    });
  }

  #line(bytes: Buffer, start: number, end: number): void {
    this.#lines += 1;
    if (!this.#gone) this.#batch = this.#dispatcher.take(bytes, start, end);
  }

  /** What has come is not all taken. */
  get #waits(): boolean {
    return this.#batch !== undefined || this.#cutter.stopped || this.#dispatcher.holding || this.#diskBegins;
  }

  #mayTake(): boolean {
    return this.#batch === undefined && !this.#outbox.full && !this.#dispatcher.holding && !this.#budget.spent();
  }

  /** After a pause: what waits first, then what the peer has sent meanwhile. */
  #goOn(): void {
    if (this.#gone) return;
    if (this.#batch !== undefined) this.#batch = this.#dispatcher.advance(this.#batch);
    const hadRest = this.#cutter.stopped;
    if (this.#batch === undefined) this.#cutter.goOn();
    if (this.#gone || this.#waits) return;
    this.#subscriptions.resume();
    if (this.#ending) this.#endIfDone();
    else if (hadRest && this.#dispatcher.waitsForDisk) this.#letDiskBegin();
    else this.#socket.resume();
  }

  /** A peer that has said all it wants to say still gets its answers. */
  #peerEnded(): void {
    if (this.#gone) return;
    this.#ending = true;
    this.#endIfDone();
    if (!this.#gone) noticeDeparture(this.#socket);
  }

  #endIfDone(): void {
    if (!this.#ending || this.#gone || this.#waits) return;
    if (this.#socket.readableEnded && this.#cutter.pendingBytes > 0) {
      this.#finishLastLine();
      return;
    }
    if (this.#dispatcher.pending > 0) return;
    this.#leave();
    partOnceRead(this.#socket);
  }

  /**
   * The last line of a peer that has ended may lack its newline. What a peer left behind that is gone altogether is not
   * parsed: writing nothing tells the two apart.
   */
  #finishLastLine(): void {
    if (this.#finishingLastLine) return;
    this.#finishingLastLine = true;
    this.#socket.write('', (error) => {
      if (error instanceof Error || this.#gone) return;
      this.#context.halfLines.afterOthers(() => {
        if (this.#gone) return;
        this.#cutter.push(newline);
        this.#endIfDone();
      });
    });
  }

  /** The peer leaves more unread than it may: nothing said now would be heard. */
  #cutOffUnheard(): void {
    if (this.#gone) return;
    this.#count('answers_unread');
    this.#socket.destroy();
    this.#leave();
  }

  #count(reason: string): void {
    this.#context.tally.connectionsCutOff += 1;
    this.#context.log.warn({ connection: this.#caller.id, reason }, 'cut a connection off');
  }

  /** What was answered still goes out, unless the socket is gone. */
  #leave(): void {
    this.#gone = true;
    this.#batch = undefined;
    this.#cutter.discard();
    this.#outbox.close();
    this.#caller.gone();
  }
}

const tooLong = (maximum: number): HostError =>
  new HostError(
    'payload_too_large',
    `The line is longer than ${String(maximum)} bytes; limits.lineBytes sets this bound.`,
    { limit: 'limits.lineBytes', maximum },
  );
