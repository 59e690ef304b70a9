// One process that handles jobs of BullMQ, many at once.
import { attend } from '../attendant.ts';
import type { BenchEvent } from '../payload.ts';
import { bullmq } from './bullmq.ts';
import { handle } from './handler.ts';

const concurrency = 64;
let handled = 0;
let close: () => Promise<void> = () => Promise.resolve();

attend(
  {
    async open({ path, queue }: { path: string; queue: string }): Promise<void> {
      const { Worker } = await bullmq();
      const connection = { path, maxRetriesPerRequest: null };
      const worker = new Worker(
        queue,
        async ({ data }) => {
          const answer = await handle(data as BenchEvent);
          handled += 1;
          return answer;
        },
        { connection, concurrency },
      );
      close = () => worker.close();
      await Promise.resolve();
    },
    handled: () => handled,
  },
  () => close(),
);
