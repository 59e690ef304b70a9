// `npm run soak -- --minutes 5 --seed 1`: twenty services, half a million events or more, random faults; ends with 1
// when an event was lost, an order broken, or the daemon is not afterwards what it was before.
// `npm run soak -- --kills 200`: durable services whose daemon is killed so many times under load. With `--full` the
// file system of the store is full again and again meanwhile.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { killSoak } from './soak/kills.ts';
import { soak } from './soak/run.ts';
import { canMount } from './soak/small-disk.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string' },
    services: { type: 'string', default: '20' },
    events: { type: 'string', default: '600000' },
    kills: { type: 'string' },
    full: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

function numberOf(name: 'minutes' | 'services' | 'events' | 'kills', least: number, most: number): number {
  const value = Number(values[name]);
  if (Number.isFinite(value) && value >= least && value <= most) return value;
  console.error(`--${name} must be a number from ${String(least)} to ${String(most)}.`);
  process.exit(2);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

const seed = values.seed === undefined ? Math.floor(Math.random() * 1e9) : Number(values.seed);
console.error(`seed ${String(seed)}`);
if (values.kills !== undefined) {
  const kills = numberOf('kills', 1, 1e6);
  const small = values.full && canMount(mkdtempSync(join(tmpdir(), 'nagaya-soak-')));
  if (values.full && !small) console.error('No small file system can be mounted here: a failpoint fills the disk.');
  const killed = await killSoak({
    kills,
    services: 3,
    seed,
    ...(values.full ? { full: small ? 'file system' : 'failpoint' } : {}),
    progress: (text) => console.error(text),
  });
  console.log(JSON.stringify(killed, null, values.json ? 0 : 2));
  process.exit(killed.faults.length > 0 ? 1 : 0);
}
const report = await soak({
  seed,
  minutes: numberOf('minutes', 0.01, 24 * 60),
  services: numberOf('services', 1, 200),
  events: numberOf('events', 100, 1e9),
  progress: (text) => console.error(text),
});
if (values.json) {
  console.log(JSON.stringify(report));
} else {
  const { faults, ...figures } = report;
  console.log(JSON.stringify(figures, null, 2));
  console.log(
    faults.length === 0
      ? 'Every event is accounted for, every order is unbroken, and the daemon is as it was.'
      : `Faults:\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
  );
}
if (report.faults.length > 0) process.exitCode = 1;
