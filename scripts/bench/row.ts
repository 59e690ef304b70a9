// One row of the table of what must be reached: how it is measured, and what came of it.
import type { Figure } from './figures.ts';
import type { Session } from './session.ts';
import type { Placement } from './subject.ts';

/** How a figure is shown. */
export type Unit = 'perSecond' | 'micros' | 'millis' | 'megabytes' | 'percent' | 'times';

export interface Column {
  /** The name of the figure in the samples. */
  readonly figure: string;
  readonly title: string;
  readonly unit: Unit;
}

export interface Line {
  readonly subject: string;
  readonly placement: Placement;
  readonly figures: Readonly<Record<string, Figure>>;
}

export interface Verdict {
  readonly what: string;
  readonly placement: Placement;
  readonly figure: Figure;
  readonly unit: Unit;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly met: boolean;
}

export interface RowResult {
  readonly name: string;
  readonly title: string;
  readonly columns: readonly Column[];
  readonly lines: readonly Line[];
  readonly verdicts: readonly Verdict[];
  readonly notes: readonly string[];
}

export interface Row {
  readonly name: string;
  /** One sentence for `--list` and the report. */
  readonly title: string;
  run(session: Session): Promise<RowResult>;
}

export interface Target {
  readonly what: string;
  readonly placement: Placement;
  readonly figure: Figure;
  readonly unit?: Unit;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** The median decides; the least and the most are shown beside it. */
export function judged(target: Target): Verdict {
  const { figure, atLeast = -Infinity, atMost = Infinity } = target;
  return { unit: 'times', ...target, met: figure.value >= atLeast && figure.value <= atMost };
}
