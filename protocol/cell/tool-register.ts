// Shared memory by which the host knows, without asking, which call a tool's thread is at and how far it got: a
// thread that loops cannot say so itself. One word holds call and phase together, so that they never disagree.

import { InspectorGate, gateWords } from './inspector-gate.ts';
import type { CellPhase } from './tool-messages.ts';

const wordAt = 0;
const threadAt = 1;
const osThreadAt = 2;
const heapKbAt = 3;
const externalKbAt = 4;
const memoryReportsAt = 5;
const gateAt = 6;
const upAt = 8;
const descriptorsAt = 9;
const integersEnd = 40;
const byteLength = integersEnd + 8;

/** In the order of their codes. A call that has ended is in none. */
const phases: readonly (CellPhase | undefined)[] = [
  undefined,
  'compiling',
  'checkingInput',
  'importing',
  'running',
  'checkingOutput',
];
const codes = { ended: 0, compiling: 1, checkingInput: 2, importing: 3, running: 4, checkingOutput: 5 } as const;
const codeBits = 3;

/** Call numbers go from 1 to one less than this, and then from the start again. */
export const callNumberSpan = 2 ** (31 - codeBits);

export class ToolRegister {
  readonly buffer: SharedArrayBuffer;
  readonly gate: InspectorGate;
  readonly #words: Int32Array;
  readonly #times: Float64Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(byteLength)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, integersEnd / 4);
    this.gate = new InspectorGate(this.#words.subarray(gateAt, gateAt + gateWords));
    this.#times = new Float64Array(buffer, integersEnd, 1);
  }

  // The cell's side.

  begin(call: number, threadId: number, atMs: number): void {
    this.#times[0] = atMs;
    Atomics.store(this.#words, threadAt, threadId);
    this.enter(call, 'running');
  }

  /** The schemas of its tool had to be compiled first: the call's own time begins here. */
  beginAgain(atMs: number): void {
    this.#times[0] = atMs;
  }

  /** The cell's own modules are there. */
  comeUp(): void {
    Atomics.store(this.#words, upAt, 1);
  }

  /** The operating system's number of the thread. */
  reportThread(osThread: number): void {
    Atomics.store(this.#words, osThreadAt, osThread);
  }

  reportMemory(heapUsedBytes: number, externalBytes: number): void {
    Atomics.store(this.#words, heapKbAt, heapUsedBytes / 1024);
    Atomics.store(this.#words, externalKbAt, externalBytes / 1024);
    Atomics.add(this.#words, memoryReportsAt, 1);
  }

  reportDescriptors(open: number): void {
    Atomics.store(this.#words, descriptorsAt, open);
  }

  enter(call: number, phase: keyof typeof codes): void {
    Atomics.store(this.#words, wordAt, (call << codeBits) | codes[phase]);
  }

  // The host's side.

  /** Of a pooled thread, for when its pool does not tell of it yet. */
  get up(): boolean {
    return Atomics.load(this.#words, upAt) === 1;
  }

  /** The call last begun here; 0 before the first. */
  get call(): number {
    return Atomics.load(this.#words, wordAt) >>> codeBits;
  }

  /** Where the call last begun is; nothing when it has ended. */
  get phase(): CellPhase | undefined {
    return phases[Atomics.load(this.#words, wordAt) & ((1 << codeBits) - 1)];
  }

  /** When that call began, on the clock of `monotonicMs`. */
  get beganMs(): number {
    return this.#times[0] ?? 0;
  }

  /** When it began the call that it is at, on that clock; undefined while it is at none. */
  get workingSinceMs(): number | undefined {
    return this.phase === undefined ? undefined : this.beganMs;
  }

  /** 0 where it is not known. */
  get osThread(): number {
    return Atomics.load(this.#words, osThreadAt);
  }

  get heapUsedMb(): number {
    return Atomics.load(this.#words, heapKbAt) / 1024;
  }

  get externalMb(): number {
    return Atomics.load(this.#words, externalKbAt) / 1024;
  }

  /** Open in the thread at its last report. */
  get descriptors(): number {
    return Atomics.load(this.#words, descriptorsAt);
  }

  /** Grows with every report of the memory. */
  get memoryReports(): number {
    return Atomics.load(this.#words, memoryReportsAt);
  }

  get threadId(): number {
    return Atomics.load(this.#words, threadAt);
  }
}
