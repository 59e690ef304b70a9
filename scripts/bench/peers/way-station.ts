// The host process of one way of dispatching: its main thread has the events, another thread or process the handler.
import { attend } from '../attendant.ts';
import { quantileOf } from '../figures.ts';
import type { Sample } from '../subject.ts';
import { nagayaWay } from './nagaya-way.ts';
import { poolWays } from './pool-ways.ts';
import { postWays } from './post-ways.ts';
import type { Way } from './way.ts';

const ways: Readonly<Record<string, () => Way | Promise<Way>>> = {
  ...postWays,
  ...poolWays,
  nagaya: () => nagayaWay(false),
  'nagaya-admission': () => nagayaWay(true),
};

const name = process.argv[2] ?? '';
const make = ways[name];
if (make === undefined) throw new Error(`there is no way ${name}; there are ${Object.keys(ways).join(', ')}`);
const way = await make();

const duties = {
  async rate({ durationMs }: { durationMs: number }): Promise<Sample> {
    const cpu = process.cpuUsage();
    const { events, tookMs } = await way.busy(durationMs);
    const { user, system } = process.cpuUsage(cpu);
    return { perSecond: (events / tookMs) * 1000, cpuMicros: (user + system) / events };
  },
  async lone({ durationMs }: { durationMs: number }): Promise<Sample> {
    const { once } = way;
    if (once === undefined) throw new Error(`${name} does not do one at a time`);
    const micros: number[] = [];
    const endMs = performance.now() + durationMs;
    do {
      const beganMs = performance.now();
      await once.call(way);
      micros.push((performance.now() - beganMs) * 1000);
    } while (performance.now() < endMs);
    return { p50: quantileOf(micros, 0.5), p99: quantileOf(micros, 0.99) };
  },
};

attend(duties, () => way.end());
