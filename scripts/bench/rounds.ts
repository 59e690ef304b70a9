// Measures variants in turns. A machine's speed drifts over seconds, so that one of each is measured before the next
// round begins, and a ratio is made within a round, of neighbours in time.
import { type Figure, figureOf } from './figures.ts';
import type { Line } from './row.ts';
import type { Session } from './session.ts';
import type { Placement, Sample, Subject } from './subject.ts';

export interface Plan {
  readonly row: string;
  readonly placement: Placement;
  readonly warmUpMs: number;
  readonly roundMs: number;
}

export class Rounds {
  readonly lines: readonly Line[];
  readonly #placement: Placement;
  readonly #samples: ReadonlyMap<string, readonly Sample[]>;

  private constructor(placement: Placement, samples: ReadonlyMap<string, readonly Sample[]>) {
    this.#placement = placement;
    this.#samples = samples;
    this.lines = [...samples].map(([subject, of]) => ({ subject, placement, figures: figuresOf(of) }));
  }

  static async of(session: Session, plan: Plan, subjects: readonly Subject[]): Promise<Rounds> {
    const samples = new Map<string, Sample[]>(subjects.map(({ name }) => [name, []]));
    for (const subject of subjects) {
      session.progress(`${plan.row} (${plan.placement}): warming up ${subject.name}`);
      await subject.measure(session.lasting(plan.warmUpMs));
    }
    for (let round = 0; round < session.repetitions; round += 1) {
      session.progress(`${plan.row} (${plan.placement}): round ${String(round + 1)} of ${String(session.repetitions)}`);
      // Each begins a round in its turn, so that none always follows the same neighbour.
      const from = round % subjects.length;
      for (const subject of [...subjects.slice(from), ...subjects.slice(0, from)]) {
        samples.get(subject.name)?.push(await subject.measure(session.lasting(plan.roundMs)));
      }
    }
    return new Rounds(plan.placement, samples);
  }

  /** One measurement of each, which is not warmed up. */
  static async once(placement: Placement, subjects: readonly Subject[]): Promise<Rounds> {
    const samples = new Map<string, readonly Sample[]>();
    for (const { name, measure } of subjects) samples.set(name, [await measure(0)]);
    return new Rounds(placement, samples);
  }

  get placement(): Placement {
    return this.#placement;
  }

  figure(subject: string, name: string): Figure {
    return figureOf(this.#valuesOf(subject, name));
  }

  /** One figure over another, round by round; the divisors are added up. */
  ratio(
    above: readonly [subject: string, figure: string],
    ...below: readonly (readonly [subject: string, figure: string])[]
  ): Figure {
    const divisors = below.map(([subject, name]) => this.#valuesOf(subject, name));
    return figureOf(
      this.#valuesOf(...above).map(
        (value, round) => value / divisors.reduce((sum, values) => sum + (values[round] ?? NaN), 0),
      ),
    );
  }

  /** One figure less another, round by round. */
  difference(
    above: readonly [subject: string, figure: string],
    below: readonly [subject: string, figure: string],
  ): Figure {
    const less = this.#valuesOf(...below);
    return figureOf(this.#valuesOf(...above).map((value, round) => value - (less[round] ?? NaN)));
  }

  #valuesOf(subject: string, name: string): readonly number[] {
    return (this.#samples.get(subject) ?? []).map((sample) => sample[name] ?? NaN);
  }
}

function figuresOf(samples: readonly Sample[]): Record<string, Figure> {
  const names = Object.keys(samples[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, figureOf(samples.map((sample) => sample[name] ?? NaN))]));
}
