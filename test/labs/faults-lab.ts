// Runs faults of the kit in one place, for tests: what was not contained fails, with what was seen of it. How fast it
// was is the kit's to tell; a test's machine may be loaded.
import assert from 'node:assert/strict';
import { catalogue } from '../../daemon/faults/catalogue.ts';
import { serverFaults } from '../../daemon/faults/server-catalogue.ts';
import type { Fault, Place } from '../../daemon/faults/fault.ts';
import { type PlaceReport, runKit } from '../../daemon/faults/kit.ts';

export async function faultsIn(place: Place, faults: readonly Fault[]): Promise<PlaceReport> {
  const { places } = await runKit({ faults, places: [place], repeats: 0, guardian: false, progress: () => undefined });
  const [report] = places;
  assert.ok(report !== undefined);
  return report;
}

export async function assertContained(place: Place, ids: readonly string[]): Promise<PlaceReport> {
  const known = [...catalogue, ...serverFaults];
  const faults = ids.map((id) => known.find((fault) => fault.id === id) ?? assert.fail(`there is no fault ${id}`));
  const report = await faultsIn(place, faults);
  const failed = report.rows.filter(({ verdict }) => verdict === 'not contained');
  assert.deepEqual(
    failed.map(({ id, problems, cause }) => ({ id, problems, cause })),
    [],
  );
  assert.equal(report.summary.daemonDeaths, 0);
  return report;
}
