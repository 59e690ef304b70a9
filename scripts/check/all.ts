// `npm run check`: what holds the project together beside its tests, one line for each check and one for each fault.
import { join } from 'node:path';
import type { Check } from './check.ts';
import { docs } from './docs.ts';
import { imports } from './imports.ts';
import { language } from './language.ts';

const root = join(import.meta.dirname, '..', '..');
const checks: readonly Check[] = [imports, docs, language];

for (const { name, run } of checks) {
  const began = performance.now();
  // A check that cannot be made has found something too.
  const faults = await run(root).catch((error: unknown) => [
    error instanceof Error ? (error.stack ?? error.message) : String(error),
  ]);
  const took = `${(performance.now() - began).toFixed(0)} ms`;
  console.log(
    faults.length === 0
      ? `✔ ${name} (${took})`
      : `✖ ${name}: ${String(faults.length)} ${faults.length === 1 ? 'fault' : 'faults'} (${took})`,
  );
  for (const fault of faults) console.log(`  ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
}
