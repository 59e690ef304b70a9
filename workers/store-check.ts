// The process that reads a whole store and says whether all of it is what was written.
import { everyKey } from './store/engine.ts';
import { LmdbEngine } from './store/lmdb-engine.ts';
import { unseal } from './store/sealed-value.ts';

const [, , path = ''] = process.argv;
const engine = new LmdbEngine(path, { sync: true });
let entries = 0;
let damaged = 0;
for (const table of engine.tables()) {
  for (const { key, value } of engine.range(table, everyKey)) {
    entries += 1;
    if (unseal(key, value) === undefined) damaged += 1;
  }
}
engine.close();
if (damaged > 0) {
  process.stdout.write(`${String(damaged)} of ${String(entries)} values are not what was written\n`);
  process.exitCode = 1;
}
