// Something that is measured again and again: Nagaya, or a peer in the same process shape.

/** Named figures of one repetition. */
export type Sample = Readonly<Record<string, number>>;

export interface Subject {
  readonly name: string;
  measure(durationMs: number): Promise<Sample>;
}

/** On one core no wake-up crosses cores, and nothing runs beside anything else. */
export type Placement = 'free' | 'one core';
