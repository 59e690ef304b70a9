// The books of one plugin's tools: what became of its calls, and how long they waited and ran. They outlive a reload.
import { Histogram } from '../../protocol/cell/histogram.ts';
import type { ErrorCode } from '../../protocol/errors.ts';

export type CallOutcome = 'ok' | ErrorCode;

/** A hosted server may list other tools every time. */
const maxTools = 1000;
const others = '(others)';

export class ToolBooks {
  /** From the arrival of a call until its cell began it. */
  readonly waits = new Histogram();
  /** In the cell. */
  readonly runs = new Histogram();
  readonly #byTool = new Map<string, Map<CallOutcome, number>>();

  ended(name: string, outcome: CallOutcome): void {
    const tool = this.#byTool.has(name) || this.#byTool.size < maxTools ? name : others;
    const outcomes = this.#byTool.get(tool) ?? new Map<CallOutcome, number>();
    this.#byTool.set(tool, outcomes);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }

  /** A call came to its answer. */
  answered(tool: string, tookMs: number, ranMs: number): void {
    this.ended(tool, 'ok');
    this.waits.record(Math.max(0, tookMs - ranMs));
    this.runs.record(ranMs);
  }

  /** Tools are those of a manifest or that a server lists, and outcomes codes of the registry. */
  *[Symbol.iterator](): Iterator<readonly [tool: string, outcome: CallOutcome, calls: number]> {
    for (const [tool, outcomes] of this.#byTool) for (const [outcome, calls] of outcomes) yield [tool, outcome, calls];
  }

  outcomes(): Record<string, number> {
    const all: Record<string, number> = {};
    for (const [, outcome, calls] of this) all[outcome] = (all[outcome] ?? 0) + calls;
    return all;
  }
}
