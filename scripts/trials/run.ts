// `npm run trial -- NAME [COUNT]`: a long trial, whose quick form is among the tests. Ends with 1 where it has found a
// fault.
import { clusterTrial } from './cluster.ts';
import { edgeFloods } from './edge-floods.ts';
import { edgeKills } from './edge-kills.ts';
import { edgeRates } from './edge-rates.ts';

const progress = (text: string): void => console.error(text);

const trials: Readonly<Record<string, (count: number | undefined) => Promise<{ readonly faults: readonly string[] }>>> =
  {
    'edge-kills': (kills = 200) => edgeKills({ kills, senders: 4, seed: Date.now() % 100_000, progress }),
    'edge-rates': (seconds = 3) => edgeRates({ seconds, progress }),
    'edge-floods': (seconds = 5) => edgeFloods({ seconds, progress }),
    cluster: (seconds = 600) => clusterTrial({ seconds, progress }),
  };

const [name = '', count] = process.argv.slice(2);
const trial = trials[name];
if (trial === undefined) {
  console.error(`Name one of ${Object.keys(trials).join(', ')}.`);
  process.exit(2);
}
if (count !== undefined && !/^[1-9]\d{0,4}$/.test(count)) {
  console.error(`"${count}" is no number of seconds or kills. Say for example: npm run trial -- ${name} 5`);
  process.exit(2);
}
const report = await trial(count === undefined ? undefined : Number(count));
console.log(JSON.stringify(report, undefined, 2));
process.exitCode = report.faults.length === 0 ? 0 : 1;
