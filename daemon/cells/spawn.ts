// The one place that knows which kind of cell stands behind which isolation. The spec says which, so that a reload may
// change it.
import type { SpawnCell } from './cell.ts';
import { type CellRecorder, ProcessCell } from './process/process-cell.ts';
import { ThreadCell, type ThreadLimits } from './thread/thread-cell.ts';

/** `records`: where process cells are written down for the daemon that comes after this one. */
export function spawnCellFor(limits: ThreadLimits, records?: CellRecorder): SpawnCell {
  return (spec, listener) =>
    spec.isolation === 'process'
      ? new ProcessCell(spec, listener, limits, records)
      : new ThreadCell(spec, listener, limits);
}
