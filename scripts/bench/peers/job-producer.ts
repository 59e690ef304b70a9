// One process that places jobs in BullMQ on a redis of its own that syncs every second, with a window of them
// unanswered.
import { join } from 'node:path';
import { attend } from '../attendant.ts';
import type { Flow } from '../load/load-station.ts';
import { eventAt } from '../payload.ts';
import { type Cpu, cpuOf } from '../processor.ts';
import { Broker } from './broker.ts';
import { type JobQueue, bullmq } from './bullmq.ts';

const queueName = 'bench';

let broker: Broker | undefined;
let queue: JobQueue | undefined;

attend(
  {
    /** Answers the path of redis. */
    async open(): Promise<string> {
      const { Queue } = await bullmq();
      const own = new Broker('redis-server', (folder) => [
        ...['--port', '0', '--unixsocket', join(folder, 's'), '--dir', folder, '--save', ''],
        ...['--appendonly', 'yes', '--appendfsync', 'everysec'],
      ]);
      broker = own;
      const path = join(own.folder, 's');
      const opened = new Queue(queueName, { connection: { path }, defaultJobOptions: { removeOnComplete: true } });
      queue = opened;
      await own.ready(() => opened.add('first', eventAt(0)));
      return path;
    },
    serverCpu: (): Cpu => cpuOf(broker?.pid ?? 0),
    async flow({ durationMs, window }: { durationMs: number; window: number }): Promise<Flow> {
      const cpu = process.cpuUsage();
      const beganMs = performance.now();
      let requests = 0;
      const lane = async (): Promise<void> => {
        do {
          await queue?.add('placed', eventAt(requests));
          requests += 1;
        } while (performance.now() - beganMs < durationMs);
      };
      await Promise.all(Array.from({ length: window }, lane));
      const { user, system } = process.cpuUsage(cpu);
      return { requests, tookMs: performance.now() - beganMs, cpuMs: (user + system) / 1000 };
    },
  },
  async () => {
    await queue?.close();
    await broker?.end();
  },
);
