// Runs the faults of the catalogue in the places that were asked for, one after the other, and tells each row as soon
// as it is known.
import { availableParallelism } from 'node:os';
import { Bench, rssDriftMb } from './bench.ts';
import { control } from './catalogue.ts';
import { crashingAddon } from './crashing-addon.ts';
import { daemonTrial } from './daemon-trial.ts';
import { guardianTrial } from './guardian-trial.ts';
import { type Fault, type Goals, type Place, goals, placeName, sharesProcess } from './fault.ts';
import { type Row, type Summary, judge, middleOf, notRun, summaryOf } from './verdict.ts';

export interface KitRun {
  readonly faults: readonly Fault[];
  readonly places: readonly Place[];
  /** How often a trial that was late is repeated, for its middle figures: a machine may be late by itself. */
  readonly repeats: number;
  /**
   * Whether the daemons run under a guardian, as users start them; faults that end the daemon are tried under one
   * anyway.
   */
  readonly guardian: boolean;
  /** Told while it runs, for whoever waits. */
  progress(place: Place, row: Row, at: number): void;
}

export interface PlaceReport {
  readonly place: string;
  readonly subject: Place['subject'];
  readonly isolation: Place['isolation'];
  /** What no fault at all takes here: the machine's own part in the figures below. */
  readonly control: Pick<Row, 'answeredMs' | 'neighbourGapMs' | 'recoveredMs'>;
  readonly rows: readonly Row[];
  readonly summary: Summary;
}

export interface KitReport {
  readonly at: string;
  readonly node: string;
  readonly platform: string;
  readonly cores: number;
  readonly goals: Goals;
  readonly places: readonly PlaceReport[];
}

export async function runKit(run: KitRun): Promise<KitReport> {
  const places: PlaceReport[] = [];
  for (const place of run.places) places.push(await runPlace(run, place));
  return {
    at: new Date().toISOString(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    cores: availableParallelism(),
    goals,
    places,
  };
}

async function runPlace({ faults, repeats, guardian, progress }: KitRun, place: Place): Promise<PlaceReport> {
  const bench = new Bench(place, guardian);
  const rows: Row[] = [];
  try {
    const measured = judge(control, place, await bench.observe(control), rssDriftMb);
    for (const fault of faults) {
      const row = await measuredRow(bench, fault, place, repeats);
      rows.push(row);
      progress(place, row, rows.length);
    }
    const { answeredMs, neighbourGapMs, recoveredMs } = measured;
    return {
      place: placeName(place),
      ...place,
      control: { answeredMs, neighbourGapMs, recoveredMs },
      rows,
      summary: summaryOf(rows),
    };
  } finally {
    await bench.close();
  }
}

async function measuredRow(bench: Bench, fault: Fault, place: Place, repeats: number): Promise<Row> {
  const rows: [Row, ...Row[]] = [await rowOf(bench, fault, place)];
  while (rows[0].late.length > 0 && rows.length <= repeats) rows.push(await rowOf(bench, fault, place));
  return middleOf(rows);
}

async function rowOf(bench: Bench, fault: Fault, place: Place): Promise<Row> {
  if (fault.id === 'native-segfault' && crashingAddon() === undefined)
    return notRun(fault, 'the kit has no crashing addon for this kind of machine');
  if (fault.outside !== undefined || (sharesProcess(place) && fault.threads.hold === 'dies'))
    return judge(fault, place, await guardianTrial(fault, place), rssDriftMb);
  if (fault.group === 'daemon') return judge(fault, place, await daemonTrial(fault, place), rssDriftMb);
  return judge(fault, place, await bench.observe(fault), rssDriftMb);
}

export const exitsWell = ({ places }: KitReport): boolean => places.every(({ summary }) => summary.notContained === 0);
