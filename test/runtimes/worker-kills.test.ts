// A real daemon on a real disk is killed at any moment while workers are given inputs: what was answered is there again
// where the answer said, and has exactly one end.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { InputAnswer, TranscriptItem } from '../../protocol/runtime.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { until } from '../labs/until.ts';

const runtimeId = 'backend-internal';
const ends = new Set(['done', 'failed', 'cancelled']);

test(
  'kill -9 at any moment loses no accepted input and gives none of them two ends',
  { timeout: 170_000 },
  async (t) => {
    const folder = await temporaryFolder(t);
    const accepted = new Map<string, InputAnswer[]>();
    for (let round = 0; round < 4; round += 1) {
      const daemon = await startTestDaemon(t, { folder });
      const client = await daemon.connect();
      const give = async (): Promise<void> => {
        const { workerId } = await client.call('worker.create', { runtimeId, intent: 'to be killed' });
        const answers: InputAnswer[] = [];
        accepted.set(workerId, answers);
        for (let at = 0; ; at += 1) {
          try {
            answers.push(await client.call('worker.input', { runtimeId, workerId, content: `input ${String(at)}` }));
          } catch (thrown) {
            // As many wait as may: room comes when one has ended.
            if ((thrown as { code?: string }).code !== 'worker_busy') throw thrown;
            await sleep(5);
          }
        }
      };
      // Each goes on until the daemon is gone.
      const giving = Promise.allSettled(Array.from({ length: 3 }, give));
      await sleep(randomInt(50, 800));
      daemon.signal('SIGKILL');
      await daemon.ended;
      await giving;
    }
    const last = await startTestDaemon(t, { folder });
    const client = await last.connect();
    const { workers } = await client.call('worker.list', { runtimeId, limit: 200 });
    for (const workerId of accepted.keys()) assert.ok(workers.some((worker) => worker.workerId === workerId));
    for (const { workerId } of workers)
      await until(
        'nothing waits',
        async () => (await client.call('worker.show', { runtimeId, workerId })).state === 'idle',
        60_000,
      );
    for (const [workerId, answers] of accepted) {
      const { totalItems, firstSequence } = await client.call('worker.transcript', { runtimeId, workerId });
      const items: TranscriptItem[] = [];
      for (let start = firstSequence; start <= totalItems;) {
        const page = await client.call('worker.transcript', { runtimeId, workerId, start, limit: 200 });
        items.push(...page.items);
        start = page.nextStart;
      }
      for (const { eventId, sequence } of answers.filter((answer) => answer.sequence >= firstSequence)) {
        assert.equal(items.find((item) => item.sequence === sequence)?.eventId, eventId);
        const own = items.filter((item) => item.eventId === eventId && ends.has(item.status ?? ''));
        assert.equal(own.length, 1, JSON.stringify(own));
      }
    }
  },
);
