// A check of the whole project: what it found, one line a fault, each saying where and what. No lines, no fault.

export interface Check {
  readonly name: string;
  run(root: string): Promise<readonly string[]>;
}
