// `npm run bench`: measures Nagaya against what one would use instead, prints the ratios and what they must reach, and
// writes a whole run into docs/benchmarks.md. It never fails for a figure, only when something crashes.
import { parseArgs } from 'node:util';
import { machine } from './machine.ts';
import { writeSection } from './page.ts';
import { type Report, markdown, rowText, text } from './report.ts';
import type { RowResult } from './row.ts';
import { Session } from './session.ts';
import { canPin } from './station.ts';
import { suite } from './suite.ts';

const help = `npm run bench -- [options]

  --only NAME      only this row; may be given more than once
  --list           name the rows
  --smoke          every row for a moment: whether it runs, not how fast
  --json           the whole report as JSON, with every sample
  --minutes N      how long the soak lasts, with --only soak (10 is what its target is meant for)
  --free-only      not pinned to one core as well
  --help           this

A run of the whole suite, or of a soak with --minutes, is written into docs/benchmarks.md.
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    list: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    minutes: { type: 'string' },
    'free-only': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}

const names = suite.map(({ name }) => name);
const unknown = (values.only ?? []).find((name) => !names.includes(name));
if (unknown !== undefined) refuse(`There is no row ${unknown}; there are ${names.join(', ')}.`);
const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
if (minutes !== undefined && !(minutes >= 3 && minutes <= 24 * 60))
  refuse('--minutes must be a number from 3 to 1440.');
if (minutes !== undefined && values.only?.join() !== 'soak') refuse('--minutes is for --only soak.');

function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line.slice(0, 100)}`);
}

async function measured(): Promise<Report> {
  const from = performance.now();
  const about = machine();
  const pinning = !values['free-only'] && canPin();
  if (!pinning && !values['free-only']) console.error('There is no taskset here: nothing is measured on one core.');
  const session = new Session({ smoke: values.smoke, pinning, soakMinutes: minutes, progress });
  const rows: RowResult[] = [];
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => void session.clear().finally(() => process.exit(1)));
  try {
    for (const row of suite.filter(({ name }) => values.only?.includes(name) ?? true)) {
      const beganMs = performance.now();
      rows.push(await row.run(session));
      if (!process.stderr.isTTY)
        console.error(`${row.name} took ${String(Math.round((performance.now() - beganMs) / 100) / 10)} s`);
    }
  } finally {
    await session.clear();
    progress('');
  }
  return { machine: about, repetitions: session.repetitions, tookMs: performance.now() - from, rows };
}

function tell(report: Report): void {
  if (values.json) {
    console.log(JSON.stringify(report));
    return;
  }
  console.log(`${text(report)}\n`);
  for (const row of report.rows) console.log(rowText(row));
}

if (values.help) {
  console.log(help);
} else if (values.list) {
  for (const { name, title } of suite) console.log(`${name.padEnd(20)} ${title}`);
} else {
  const report = await measured();
  tell(report);
  if (!values.smoke && values.only === undefined)
    console.error(`wrote ${writeSection('benchmarks', markdown(report))}`);
  if (!values.smoke && minutes !== undefined)
    console.error(`wrote ${writeSection('benchmarks-soak', markdown(report))}`);
}
