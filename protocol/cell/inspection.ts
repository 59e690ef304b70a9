// What the host may ask a cell's thread in the middle of a loop: the inspector lets a thread answer there without
// stopping it. The cell keeps these functions under a name of its global object; texts go in and come out.

export const inspectionName = 'nagaya:inspection';

/** A place in a script: its URL, then line and column, both counted from 1. */
export type Position = readonly [url: string, line: number, column: number];

export interface CellInspection {
  readonly threadId: number;
  /** Where each place, given as JSON, comes from by its source map; null where there is none. Answers as JSON. */
  origins(positionsJson: string): string;
  /** What could still wake the thread, by Node's names for it, as a JSON list of texts. */
  open(): string;
  /** Writes the memory figures where the host finds them. */
  reportMemory(): void;
}
