// How a cell tells the host what became of its events. Where memory is shared the register already says how far the
// cell has come, and answers are laid in a ring: a message only wakes the host, and one that has not looked yet is not
// woken again. A process tells everything by message.
import type { EventEffects } from '../protocol/cell/effects.ts';
import type {
  EventFailure,
  EventOutput,
  HaltedMessage,
  ProgressMessage,
  ResultsMessage,
  SayMessage,
} from '../protocol/cell/messages.ts';
import { OutputRing, largestRingOutput } from '../protocol/cell/output-ring.ts';
import type { ProgressRegister } from '../protocol/cell/register.ts';
import { type Poster, utf8Of, writeText } from './primitives.ts';

export type ReportMessage = ResultsMessage | ProgressMessage | HaltedMessage | SayMessage;

export interface LaneReports {
  /** To be called before the register says that the event is done, so that a cell's end can never hide it. */
  failed(failure: EventFailure): void;
  /** As `failed`. False: the host does not know of it yet, and is to be told as soon as the register says done. */
  answered(output: EventOutput<string>, jsonBytes: number): boolean;
  /** What a handled event changes. Before its answer, and before the register says that it is done. */
  effects(effects: EventEffects): void;
  /** A piece of what a worker's input is answered. As `effects`: the register must not settle the input before it. */
  said(turn: number, text: string): void;
  /** Every event up to this one has ended, and the register says so. */
  tell(through: number): void;
  halted(through: number): void;
  /** Where answers are laid from now on. */
  layIn?(outputs: SharedArrayBuffer): void;
}

const answerOf = (output: EventOutput): ResultsMessage => ({
  type: 'results',
  through: output.sequence,
  failures: [],
  outputs: [output],
});

export class MessageReports implements LaneReports {
  readonly #post: Poster<ReportMessage>;

  constructor(post: Poster<ReportMessage>) {
    this.#post = post;
  }

  failed(failure: EventFailure): void {
    this.#post({ type: 'results', through: failure.sequence, failures: [failure], outputs: [] });
  }

  answered(output: EventOutput): boolean {
    this.#post(answerOf(output));
    return true;
  }

  effects(effects: EventEffects): void {
    this.#post({ type: 'results', through: effects.sequence - 1, failures: [], outputs: [], effects: [effects] });
  }

  said(turn: number, text: string): void {
    this.#post({ type: 'say', turn, text });
  }

  tell(through: number): void {
    this.#post({ type: 'results', through, failures: [], outputs: [] });
  }

  halted(through: number): void {
    this.#post({ type: 'halted', through });
  }
}

export class SharedReports implements LaneReports {
  readonly #register: ProgressRegister;
  readonly #messages: MessageReports;
  readonly #post: Poster<ReportMessage>;
  #ring: OutputRing | undefined;

  constructor(register: ProgressRegister, post: Poster<ReportMessage>) {
    this.#register = register;
    this.#messages = new MessageReports(post);
    this.#post = post;
  }

  failed(failure: EventFailure): void {
    this.#register.reportPosted();
    this.#messages.failed(failure);
  }

  answered(output: EventOutput<string>, jsonBytes: number): boolean {
    if (jsonBytes > largestRingOutput) return this.#handOver(output, jsonBytes);
    if (this.#ring?.write(output, jsonBytes, writeText) === true) return false;
    this.#register.reportPosted();
    return this.#messages.answered(output);
  }

  #handOver({ sequence, json, durationMs }: EventOutput<string>, jsonBytes: number): true {
    const { bytes, memory } = utf8Of(json, jsonBytes);
    this.#register.reportPosted();
    this.#post(answerOf({ sequence, json: bytes, durationMs }), [memory]);
    return true;
  }

  effects(effects: EventEffects): void {
    this.#register.reportPosted();
    this.#messages.effects(effects);
  }

  said(turn: number, text: string): void {
    this.#register.reportPosted();
    this.#messages.said(turn, text);
  }

  tell(): void {
    if (this.#register.ring()) this.#post({ type: 'progress' });
  }

  halted(through: number): void {
    this.#messages.halted(through);
  }

  layIn(outputs: SharedArrayBuffer): void {
    this.#ring = new OutputRing(outputs);
  }
}
