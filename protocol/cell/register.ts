// The progress register: the shared memory by which the host knows, without asking, which event a cell is executing
// and since when. It is what makes batching honest: deadlines run from an event's own start, and when a cell ends,
// blame is exact. One word holds sequence and phase together, so that a claim can only hit the event it means.
import { InspectorGate, gateWords } from './inspector-gate.ts';
import { Histogram, histogramLength } from './histogram.ts';

const wordAt = 0;
const haltAt = 1;
const aliveAt = 2;
const heapKbAt = 3;
const externalKbAt = 4;
const osThreadAt = 5;
const memoryReportsAt = 6;
const stageAt = 7;
const gateAt = 8;
const bellAt = 10;
const reportsAt = 11;
const descriptorsAt = 12;
const beganAt = 0;
const progressAt = 1;

const integersEnd = 56;
const floatsEnd = integersEnd + 16;
const histogramEnd = floatsEnd + histogramLength * 4;

/**
 * For each event that somebody waits for, who has it: the cell, which has begun it, or the host, which has withdrawn
 * it. More than are ever in flight, so that a place is free again before its next turn.
 */
const claims = 256;
const taken = 1;
const withdrawn = 2;
const byteLength = histogramEnd + claims * 4;

/** What the word says of the sequence it names. */
export const phases = { done: 0, running: 1, claimed: 2, sealed: 3 } as const;
export type Phase = (typeof phases)[keyof typeof phases];

/** How far a cell has come. Until it stands it reads files, its own first and then the plugin's. */
const stages = { booting: 0, up: 1, importing: 2 } as const;

/** Sequences wrap; far fewer than half of this are ever in flight, so the short distance tells which is meant. */
const sequenceSpan = 2 ** 29;

const pack = (sequence: number, phase: number): number => ((sequence % sequenceSpan) << 2) | phase;

export interface Progress {
  readonly phase: Phase;
  readonly sequence: number;
  /** When the running event began, on the clock of `monotonicMs`. */
  readonly beganMs: number;
  /** When an event last began or ended. */
  readonly progressMs: number;
}

/** The one clock that host and cells share: CLOCK_MONOTONIC is the same in every thread and process. */
const monotonicOffsetMs = (() => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6 - performance.now();
})();
const now = performance.now.bind(performance);
export const monotonicMs = (): number => now() + monotonicOffsetMs;

export class ProgressRegister {
  readonly buffer: SharedArrayBuffer;
  readonly handleTimes: Histogram;
  readonly gate: InspectorGate;
  readonly #words: Int32Array;
  /** What the cell last wrote: whatever else it finds there is the host's. */
  #written = pack(0, phases.done);
  readonly #times: Float64Array;
  readonly #claims: Int32Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(byteLength)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, integersEnd / 4);
    this.gate = new InspectorGate(this.#words.subarray(gateAt, gateAt + gateWords));
    this.#times = new Float64Array(buffer, integersEnd, 2);
    this.#claims = new Int32Array(buffer, histogramEnd, claims);
    this.handleTimes = new Histogram(new Uint32Array(buffer, floatsEnd, histogramLength));
  }

  // The cell's side.

  /** False when the host sealed the register: no event may begin any more, and the cell is about to end. */
  begin(sequence: number, atMs: number): boolean {
    this.#times[beganAt] = atMs;
    this.#times[progressAt] = atMs;
    const running = pack(sequence, phases.running);
    if (Atomics.compareExchange(this.#words, wordAt, this.#written, running) !== this.#written) return false;
    this.#written = running;
    return true;
  }

  /** False when the host claimed the event first: it has been answered for, and the cell is about to end. */
  finish(sequence: number, atMs: number): boolean {
    this.#times[progressAt] = atMs;
    const done = pack(sequence, phases.done);
    if (Atomics.compareExchange(this.#words, wordAt, this.#written, done) !== this.#written) return false;
    this.#written = done;
    return true;
  }

  /**
   * For an event that somebody waits for, before it begins. False when the host has withdrawn it: it is passed over.
   */
  take(sequence: number): boolean {
    return this.#settleClaim(sequence, taken);
  }

  /** True when the host has not been told since it last looked: then it is to be. After `finish`, never before. */
  ring(): boolean {
    return Atomics.exchange(this.#words, bellAt, 1) === 0;
  }

  /** A report is posted as a message; before `finish`, so that who sees the event done knows of it. */
  reportPosted(): void {
    Atomics.add(this.#words, reportsAt, 1);
  }

  get halted(): boolean {
    return Atomics.load(this.#words, haltAt) === 1;
  }

  reportMemory(heapUsedBytes: number, externalBytes: number): void {
    Atomics.store(this.#words, heapKbAt, heapUsedBytes / 1024);
    Atomics.store(this.#words, externalKbAt, externalBytes / 1024);
    Atomics.add(this.#words, memoryReportsAt, 1);
  }

  reportDescriptors(open: number): void {
    Atomics.store(this.#words, descriptorsAt, open);
  }

  /** The cell's event loop has come round again. */
  turned(): void {
    Atomics.add(this.#words, aliveAt, 1);
  }

  /** The operating system's number of the cell's thread. */
  reportThread(osThread: number): void {
    Atomics.store(this.#words, osThreadAt, osThread);
  }

  /** The cell's own code is there; false when the host has ended it before it was: then nothing more is to begin. */
  comeUp(): boolean {
    Atomics.store(this.#words, stageAt, stages.up);
    return !this.halted;
  }

  importing(begins: boolean): void {
    Atomics.store(this.#words, stageAt, begins ? stages.importing : stages.up);
  }

  // The host's side.

  /** The cell reads files: its own, or those of its plugin. */
  get reading(): 'own' | 'plugin' | undefined {
    const stage = Atomics.load(this.#words, stageAt);
    return stage === stages.booting ? 'own' : stage === stages.importing ? 'plugin' : undefined;
  }

  /** `near` is any sequence in flight: it tells which turn of the wrapped number is meant. */
  read(near: number): Progress {
    const word = Atomics.load(this.#words, wordAt);
    const short = word >>> 2;
    const turn = Math.round((near - short) / sequenceSpan) * sequenceSpan;
    return {
      // The word's two low bits hold nothing but a phase: pack is the only writer.
      phase: (word & 3) as Phase,
      sequence: short + turn,
      beganMs: this.#times[beganAt] ?? 0,
      progressMs: this.#times[progressAt] ?? 0,
    };
  }

  /** When it began the event that it executes, on the clock of `monotonicMs`; undefined while it executes none. */
  get workingSinceMs(): number | undefined {
    return (Atomics.load(this.#words, wordAt) & 3) === phases.running ? this.#times[beganAt] : undefined;
  }

  /** Before the register is read for what the bell was rung for. */
  hear(): void {
    Atomics.store(this.#words, bellAt, 0);
  }

  /** How many reports were posted; wraps. */
  get reports(): number {
    return Atomics.load(this.#words, reportsAt);
  }

  /** Takes a running event from the cell; false when it ended, or another began, in the meantime. */
  claim(sequence: number): boolean {
    const running = pack(sequence, phases.running);
    return Atomics.compareExchange(this.#words, wordAt, running, pack(sequence, phases.claimed)) === running;
  }

  /** Takes an event that somebody waited for back from the cell; false when it has begun. */
  withdraw(sequence: number): boolean {
    return this.#settleClaim(sequence, withdrawn);
  }

  /** Only the first of the two sides gets the event. */
  #settleClaim(sequence: number, by: typeof taken | typeof withdrawn): boolean {
    const place = sequence % claims;
    const before = Atomics.load(this.#claims, place);
    if (before === pack(sequence, taken) || before === pack(sequence, withdrawn)) return false;
    return Atomics.compareExchange(this.#claims, place, before, pack(sequence, by)) === before;
  }

  /** Between two events: from here on none begins. False when one began in the meantime. */
  seal(sequence: number): boolean {
    const done = pack(sequence, phases.done);
    return Atomics.compareExchange(this.#words, wordAt, done, pack(sequence, phases.sealed)) === done;
  }

  /** The cell is asked to begin no further event, and says so when it comes to it. */
  halt(): void {
    Atomics.store(this.#words, haltAt, 1);
  }

  get heapUsedMb(): number {
    return Atomics.load(this.#words, heapKbAt) / 1024;
  }

  get externalMb(): number {
    return Atomics.load(this.#words, externalKbAt) / 1024;
  }

  /** Open in the cell at its last report. */
  get descriptors(): number {
    return Atomics.load(this.#words, descriptorsAt);
  }

  /** Grows with every report of the memory. */
  get memoryReports(): number {
    return Atomics.load(this.#words, memoryReportsAt);
  }

  /** 0 where it is not known. */
  get osThread(): number {
    return Atomics.load(this.#words, osThreadAt);
  }

  /** Grows while the cell's event loop turns. */
  get aliveCount(): number {
    return Atomics.load(this.#words, aliveAt);
  }
}
