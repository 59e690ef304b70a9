// The host's end of a lane: hands the cell batches, keeps what is in flight, and decides by the progress register
// whose deadline has passed and whose fault an end was. It does no I/O of its own, so that its decisions can be
// tested on a virtual clock.
import { BatchText } from '../../protocol/cell/batch.ts';
import type { EventEffects } from '../../protocol/cell/effects.ts';
import type { EventFailure, EventOutput, ResultsMessage } from '../../protocol/cell/messages.ts';
import { OutputRing } from '../../protocol/cell/output-ring.ts';
import { type Progress, phases } from '../../protocol/cell/register.ts';
import type { LaneWindow } from '../cells/cell.ts';
import { lossAccount } from '../files/loss-account.ts';
import type { Clock, Timer } from '../time/clock.ts';
import type { IngressQueue } from './ingress-queue.ts';
import type { LaneCell, LaneListener, LaneOptions, LaneRemains } from './lane-contract.ts';
import { type LaneState, aheadOf, halted, open, settlesThrough } from './lane-state.ts';
import type { QueuedEvent, Waiter } from './queued-event.ts';
import { SentEvents } from './sent-events.ts';

/** Of a cell that does not say otherwise. */
const widest: LaneWindow = { batches: 2, events: 64 };
const mostBatchBytes = 256 * 1024;
const othersWait = { othersWait: true } as const;
const resumes = { resumes: true } as const;

export class Lane {
  readonly #cell: LaneCell;
  readonly #queue: IngressQueue;
  readonly #clock: Clock;
  readonly #options: LaneOptions;
  readonly #listener: LaneListener;
  /** Sent and not settled; the first has sequence `#through + 1`. */
  readonly #sent = new SentEvents();
  readonly #window: LaneWindow;
  #through = 0;
  readonly #batchEnds: number[] = [];
  #sentMs = 0;
  #timer: Timer | undefined;
  #state: LaneState = open;
  /** What is known of events that are not settled, by their sequence. */
  readonly #failures = new Map<number, EventFailure>();
  readonly #outputs = new Map<number, EventOutput>();
  readonly #effects = new Map<number, EventEffects>();
  #ring: OutputRing | undefined;
  /** Messages that belong before an outcome and have come; the register counts those that were sent. */
  #reports = 0;
  #toldExecuting = 0;
  /** The cell has paused, and executes nothing before it gets a batch that resumes it. */
  #paused = false;
  readonly #keep = (output: EventOutput): void => {
    if (this.#isOpen(output.sequence)) this.#outputs.set(output.sequence, this.#awake(output));
  };

  constructor(cell: LaneCell, queue: IngressQueue, clock: Clock, options: LaneOptions, listener: LaneListener) {
    this.#cell = cell;
    this.#window = cell.window ?? widest;
    this.#queue = queue;
    this.#clock = clock;
    this.#options = options;
    this.#listener = listener;
  }

  get inFlight(): number {
    return this.#sent.count + (this.#state === open || aheadOf(this.#state) === undefined ? 0 : 1);
  }

  /** The cell has nothing of it, and no event waits for a decision. */
  get atRest(): boolean {
    return this.#sent.length === 0 && this.#state.is !== 'claimed';
  }

  /** Nothing can be handed over now and nothing is in flight. */
  get idle(): boolean {
    return this.inFlight === 0 && this.#queue.ready === 0;
  }

  /** The event being executed, or else the next one to be. */
  current(): { readonly event: QueuedEvent; readonly beganMs: number | undefined } | undefined {
    if (this.#state.is === 'claimed') return this.#state;
    const first = aheadOf(this.#state) ?? this.#sent.first;
    if (first === undefined) return undefined;
    const progress = this.#progress();
    const running =
      progress.phase === phases.running ? this.#sent.at(progress.sequence - this.#through - 1) : undefined;
    return running === undefined
      ? { event: first, beganMs: undefined }
      : { event: running, beganMs: this.#clock.fromCellMs(progress.beganMs) };
  }

  /** The events that have begun and have no outcome yet, the one that is executing last. */
  begun(): readonly QueuedEvent[] {
    const begun = this.#sent.list(Math.max(0, this.#progress().sequence - this.#through));
    return this.#state.is === 'claimed' ? [this.#state.event, ...begun] : begun;
  }

  /** What it has of the queue, in order. */
  open(): readonly QueuedEvent[] {
    const first = aheadOf(this.#state);
    return first === undefined ? this.#sent.list() : [first, ...this.#sent.list()];
  }

  /**
   * Takes back the event of a caller that does not wait any longer. Undefined if it has begun, or is not here; of a
   * cell without shared memory, nobody can tell in time.
   */
  withdraw(waiter: Waiter): QueuedEvent | undefined {
    const place = this.#sent.placeOf(waiter);
    if (place === -1 || this.#cell.arrivals !== undefined || !this.#cell.register.withdraw(this.#through + place + 1))
      return undefined;
    return this.#sent.withdraw(place);
  }

  /** Hands over what the window has room for; false where that is nothing. */
  pump(): boolean {
    let handedOver = false;
    const { pacer } = this.#options;
    while (this.#state === open && this.#batchEnds.length < this.#window.batches && this.#queue.ready > 0) {
      const alone = this.#options.alone?.() === true;
      if (alone && this.inFlight > 0) break;
      const events = this.#queue.take(alone ? 1 : pacer.batchSize(this.#window.events), mostBatchBytes);
      const first = this.#through + this.#sent.length + 1;
      const awaited: number[] = [];
      const text = new BatchText();
      this.#sentMs = this.#clock.monotonicMs();
      for (let offset = 0; offset < events.length; offset += 1) {
        const event = events[offset] as QueuedEvent;
        if (event.waiter !== undefined) awaited.push(offset);
        if (event.attempt === 1) this.#queue.waits.record(this.#sentMs - event.acceptedMs);
        text.add(event);
        this.#sent.push(event);
      }
      this.#batchEnds.push(first + events.length - 1);
      if (this.inFlight === events.length) pacer.began(this.#sentMs);
      this.#tellAccount();
      lossAccount.flush();
      this.#options.sending?.(events);
      this.#cell.send({
        type: 'batch',
        first,
        count: events.length,
        json: text.toString(),
        awaited,
        ...this.#newRing(awaited),
        ...(pacer.othersWait ? othersWait : undefined),
        ...(this.#paused ? resumes : undefined),
      });
      this.#paused = false;
      handedOver = true;
    }
    this.#watch();
    return handedOver;
  }

  results({ through, failures, outputs, effects }: ResultsMessage): void {
    this.#count();
    for (const failure of failures) {
      if (this.#isOpen(failure.sequence)) this.#failures.set(failure.sequence, this.#awake(failure));
    }
    for (const output of outputs) this.#keep(output);
    if (effects !== undefined)
      for (const one of effects) if (this.#isOpen(one.sequence)) this.#effects.set(one.sequence, one);
    this.#settleThrough(through);
    this.#catchUp();
    this.#goOn();
  }

  /** Something came that belongs before the outcome of its event, and was taken: the register may settle that now. */
  reported(): void {
    this.#count();
    this.#catchUp();
    this.#goOn();
  }

  /** The cell rang: the register tells how far it has come. */
  progressed(): void {
    this.#cell.register.hear();
    this.#catchUp();
    this.#goOn();
  }

  /** The cell begins no further event; what it has not begun can be taken back once it says so. */
  halt(): void {
    if (this.#state === open) this.#state = halted;
    this.#cell.register.halt();
  }

  /** As `halt`, for a cell whose signal is aborted next: the event that then throws comes again. */
  interrupt(): void {
    this.halt();
    this.#cell.drain();
    if (this.#state.is !== 'halted') return;
    const { phase, sequence } = this.#progress();
    this.#state = {
      ...this.#state,
      interruptedFrom: Math.max(this.#through + 1, phase === phases.running ? sequence : sequence + 1),
    };
  }

  /**
   * Takes the event that is executing from the cell, which must then be ended. Undefined if none is executing; else the
   * lane holds the event until `settleClaimed`.
   */
  claimRunning(): QueuedEvent | undefined {
    const progress = this.#progress();
    if (
      progress.phase !== phases.running ||
      progress.sequence <= this.#through ||
      !this.#cell.register.claim(progress.sequence)
    )
      return undefined;
    return this.#takeClaimed(progress);
  }

  /** Between two events: the cell begins none any more. False where it executes one, or would not see it. */
  sealBetween(): boolean {
    const progress = this.#progress();
    // A cell without shared memory is known only by what has arrived of it.
    if (
      this.#cell.arrivals !== undefined ||
      progress.phase !== phases.done ||
      !this.#cell.register.seal(progress.sequence)
    )
      return false;
    this.#cell.drain();
    return true;
  }

  /** The cell is gone: from here on nothing is sent and nobody's deadline is looked at. */
  seal(): void {
    if (this.#state === open) this.#state = halted;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Ends the lane. Only when the cell ended, or said that it halted, after its last message was taken. */
  close(): LaneRemains {
    this.seal();
    const progress = this.#progress();
    const between = progress.phase === phases.done || progress.phase === phases.sealed;
    this.#settleThrough(between ? progress.sequence : progress.sequence - 1);
    const blamed =
      progress.phase === phases.running && progress.sequence > this.#through ? this.#sent.take(1)[0] : undefined;
    const again = this.#takeAgain();
    const untouched = again === undefined ? this.#sent.clear() : [again, ...this.#sent.clear()];
    this.#tellAccount();
    return { blamed, untouched };
  }

  /** What becomes of the claimed event: it comes again as given, or it has had its outcome. */
  settleClaimed(again: QueuedEvent | undefined): void {
    this.#state = { is: 'cut', again };
  }

  #takeAgain(): QueuedEvent | undefined {
    const state = this.#state;
    if (state.is !== 'halted' && state.is !== 'cut') return undefined;
    this.#state = { ...state, again: undefined };
    return state.again;
  }

  #count(): void {
    this.#reports = (this.#reports + 1) | 0;
  }

  #goOn(): void {
    if (this.#options.pacer.mayGoOn()) this.pump();
  }

  /** Its times are those of the cells' clock. */
  #progress(): Progress {
    return this.#cell.register.read(this.#through + 1);
  }

  /** Without what the daemon slept through. */
  #awake<Report extends { readonly durationMs: number }>(report: Report): Report {
    const durationMs = this.#clock.awakeOf(report.durationMs);
    return durationMs === report.durationMs ? report : { ...report, durationMs };
  }

  /** Made when somebody first waits: most lanes never need one, and a process has no memory to share. */
  #newRing(awaited: readonly number[]): { outputs: SharedArrayBuffer } | undefined {
    if (awaited.length === 0 || this.#ring !== undefined || this.#cell.arrivals !== undefined) return undefined;
    this.#ring = new OutputRing();
    return { outputs: this.#ring.buffer };
  }

  /** By the register, unless a message is still on its way that says more of what has ended. */
  #catchUp(): void {
    if (this.#cell.arrivals !== undefined) return;
    const { phase, sequence } = this.#progress();
    // Read after the register: whatever was posted before an event was done has been counted by then.
    if (this.#cell.register.reports !== this.#reports) return;
    this.#settleThrough(phase === phases.done || phase === phases.sealed ? sequence : sequence - 1);
  }

  /** What the cell says is held against what was sent: it cannot settle more than that. */
  #settleThrough(through: number): void {
    const most = this.#through + this.#sent.length;
    const count = Math.min(through, settlesThrough(this.#state, this.#through, most)) - this.#through;
    if (count <= 0) return;
    this.#ring?.read(this.#keep);
    for (const event of this.#sent.take(count)) {
      this.#through += 1;
      if (event === undefined) continue;
      const failure = this.#known(this.#failures);
      const output = this.#known(this.#outputs);
      const effects = this.#known(this.#effects);
      if (failure === undefined) this.#listener.handled(event, output, effects);
      else this.#failed(event, failure);
    }
    if (this.#paused) this.#takeBack();
    while ((this.#batchEnds[0] ?? Infinity) <= this.#through) this.#batchEnds.shift();
    this.#options.pacer.settled(count, this.#clock.monotonicMs());
    this.#tellAccount();
  }

  #failed(event: QueuedEvent, failure: EventFailure): void {
    const state = this.#state;
    this.#paused ||= failure.paused === true;
    if (state.is === 'halted' && this.#through >= state.interruptedFrom && failure.code === 'dispatch_failed') {
      this.#state = { ...state, again: this.#listener.interrupted?.(event) };
    } else {
      this.#listener.failed(event, failure);
    }
  }

  /**
   * The cell has paused and drops what was sent behind the event that failed. Its sequences are not used again: the
   * register may still say of one that its event was withdrawn.
   */
  #takeBack(): void {
    this.#through += this.#sent.length;
    this.#failures.clear();
    this.#outputs.clear();
    this.#effects.clear();
    this.#queue.giveBack(this.#sent.clear());
  }

  #tellAccount(): void {
    const executing = this.inFlight;
    this.#options.account?.add('executing', executing - this.#toldExecuting);
    this.#toldExecuting = executing;
  }

  /** Of the event that is being settled. */
  #known<Fact>(facts: Map<number, Fact>): Fact | undefined {
    if (facts.size === 0) return undefined;
    const fact = facts.get(this.#through);
    if (fact !== undefined) facts.delete(this.#through);
    return fact;
  }

  /** Sent and not settled: of nothing else anything is kept. */
  #isOpen(sequence: number): boolean {
    return sequence > this.#through && sequence <= this.#through + this.#sent.length;
  }

  /** One timer a lane, not one an event: when it fires, the register says whose deadline it is. */
  #watch(): void {
    if (this.#state !== open || this.#timer !== undefined || this.#sent.length === 0) return;
    this.#checkIn(Math.min(this.#options.handleMs, this.#options.stallMs));
  }

  #check(): void {
    if (this.#sent.length === 0) return;
    const now = this.#clock.monotonicMs();
    const progress = this.#progress();
    if (progress.phase === phases.running && progress.sequence > this.#through) {
      this.#checkRunning(progress, now);
      return;
    }
    const idleMs = now - Math.max(this.#clock.fromCellMs(progress.progressMs), this.#sentMs);
    if (idleMs < this.#options.stallMs) {
      this.#checkAgain(Math.min(this.#options.stallMs - idleMs, this.#options.handleMs));
      return;
    }
    if (!this.#cell.register.seal(progress.sequence)) {
      // It began the next one between the look and the seal.
      this.#checkAgain(this.#options.handleMs);
      return;
    }
    if (this.#state === open) this.#state = halted;
    this.#cell.drain();
    this.#listener.stalled(idleMs);
  }

  #checkRunning(progress: Progress, now: number): void {
    const beganMs = this.#clock.fromCellMs(progress.beganMs);
    const ranMs = now - beganMs;
    if (ranMs < this.#options.handleMs) {
      this.#checkAgain(this.#options.handleMs - ranMs);
      return;
    }
    if (!this.#cell.register.claim(progress.sequence)) {
      // It ended, or the next one began, between the look and the claim.
      this.#checkAgain(this.#options.handleMs);
      return;
    }
    const event = this.#takeClaimed(progress);
    if (event !== undefined) this.#listener.overran(event, ranMs);
  }

  #takeClaimed({ sequence, beganMs }: Progress): QueuedEvent | undefined {
    this.#state = { is: 'claiming', sequence };
    this.#cell.drain();
    this.#settleThrough(sequence - 1);
    const event = this.#sent.take(1)[0];
    this.#through += 1;
    this.#state =
      event === undefined
        ? { is: 'cut', again: undefined }
        : { is: 'claimed', event, beganMs: this.#clock.fromCellMs(beganMs) };
    return event;
  }

  /** Timers may fire a little early; a millisecond keeps them from spinning. */
  #checkAgain(delayMs: number): void {
    this.#checkIn(Math.max(1, Math.ceil(delayMs)));
  }

  #checkIn(delayMs: number): void {
    this.#timer = this.#clock.after(delayMs, () => {
      let cancelled = false;
      const check = (): void => {
        if (cancelled) return;
        this.#timer = undefined;
        this.#check();
      };
      // A result that has arrived must not be overlooked because this timer came first.
      this.#timer = { cancel: () => (cancelled = true) };
      if (this.#cell.arrivals === undefined) check();
      else this.#cell.arrivals(check);
    });
  }
}
