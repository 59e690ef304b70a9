// Soak: mixed load for a while; whether memory grows and whether answers get slower. Within the suite it is a short
// one; `--only soak --minutes 10` is the one the target is meant for.
import { rssMbOf } from '../../../daemon/faults/vital-signs.ts';
import { type Figure, figureOf, quantileOf, slopeOf } from '../figures.ts';
import type { MixedReport } from '../load/mixed-station.ts';
import { writeTool } from '../plugins.ts';
import { type Column, type Row, judged } from '../row.ts';
import { serviceDaemon } from '../servers.ts';
import type { Session } from '../session.ts';
import { Station } from '../station.ts';

const lookMs = 250;
const floorMs = 5000;
/** The first window is for warming up; the second is what the last one is held against. */
const windows = { long: 60_000, short: 12_000, smoke: 600 } as const;
const shortWindows = 5;

const columns: readonly Column[] = [
  { figure: 'rssMb', title: 'resident memory', unit: 'megabytes' },
  { figure: 'second', title: 'p99 of the second window', unit: 'micros' },
  { figure: 'last', title: 'p99 of the last window', unit: 'micros' },
];

type Point = readonly [atMs: number, value: number];

const between = (points: readonly Point[], fromMs: number, toMs: number): number[] =>
  points.filter(([at]) => at >= fromMs && at < toMs).map(([, value]) => value);

/** What is resident swings with the collector: the floor of each stretch is what grows when something leaks. */
function floors(points: readonly Point[], fromMs: number, stretchMs: number): Point[] {
  const found: Point[] = [];
  const endMs = points.at(-1)?.[0] ?? 0;
  for (let at = fromMs; at + stretchMs <= endMs; at += stretchMs) {
    const values = between(points, at, at + stretchMs);
    if (values.length > 0) found.push([at / 60_000, Math.min(...values)]);
  }
  return found;
}

/** A single value, without a spread of its own. */
const single = (value: number, min = value, max = value): Figure => ({
  value,
  min,
  max,
  samples: [value],
  outliers: [],
});

export const soak: Row = {
  name: 'soak',
  title: 'mixed load for a while: memory and latency stay where they are',
  async run(session: Session) {
    const windowMs = session.smoke ? windows.smoke : session.soakMinutes === undefined ? windows.short : windows.long;
    const totalMs =
      session.soakMinutes === undefined || session.smoke ? windowMs * shortWindows : session.soakMinutes * 60_000;
    const daemon = await serviceDaemon(session, 'free', { code: 'mixed' });
    await daemon.load(await writeTool(daemon.folder, 'pooled'), { start: false });
    const station = await session.holding(Station.start('load/mixed-station', 'free'));
    const memory: Point[] = [];
    const beganMs = performance.now();
    const look = setInterval(
      () => {
        const atMs = performance.now() - beganMs;
        memory.push([atMs, rssMbOf(daemon.pid)]);
        if (memory.length % 40 === 0)
          session.progress(
            `soak: ${String(Math.round(atMs / 1000))} of ${String(Math.round(totalMs / 1000))} s, ${String(Math.round(memory.at(-1)?.[1] ?? 0))} MB`,
          );
      },
      session.smoke ? 20 : lookMs,
    );
    const report = await station
      .ask<MixedReport>('load', { socket: daemon.socket, durationMs: totalMs }, totalMs + 60_000)
      .finally(() => clearInterval(look));
    await session.clear();
    const slope = slopeOf(floors(memory, windowMs, session.smoke ? 50 : floorMs));
    const p99 = (fromMs: number): number => quantileOf(between(report.delivers, fromMs, fromMs + windowMs), 0.99);
    const second = p99(windowMs);
    const last = p99(totalMs - windowMs);
    const seconds = String(windowMs / 1000);
    return {
      name: soak.name,
      title: soak.title,
      columns,
      lines: [
        {
          subject: 'Nagaya',
          placement: 'free',
          figures: { rssMb: figureOf(memory.map(([, mb]) => mb)), second: single(second), last: single(last) },
        },
      ],
      verdicts: [
        {
          ...judged({
            what: `memory slope in MB a minute, with its 95 % interval, after the first ${seconds} s`,
            placement: 'free',
            unit: 'megabytes',
            figure: single(slope.perUnit, slope.perUnit - slope.uncertainty, slope.perUnit + slope.uncertainty),
            atMost: 0,
          }),
          met: slope.perUnit - slope.uncertainty <= 0,
        },
        judged({
          what: `p99 of the last ${seconds} s over the second ${seconds} s`,
          placement: 'free',
          figure: single(last / second),
          atMost: 1.1,
        }),
      ],
      notes: [
        `${String(Math.round(totalMs / 1000))} s of mixed load: ${String(report.published)} events published in batches, ${String(report.delivers.length)} delivers, ${String(report.toolCalls)} tool calls, and events that fail and log beside them. The slope is fitted to the least memory of each ${String(floorMs / 1000)} s; the target is met when its interval holds zero or lies below it.`,
      ],
    };
  },
};
