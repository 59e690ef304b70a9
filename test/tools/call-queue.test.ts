// The rules by which calls of tools begin, held for any order of events.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CallQueue, spareThreads } from '../../daemon/tools/call-queue.ts';

interface Call {
  readonly toolName: string;
  readonly arrival: number;
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('arrives' as const), tool: fc.constantFrom('a', 'b', 'c') }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('ends' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('givesUp' as const), which: fc.nat() }) },
);

test('in any order of arrivals, ends and cancellations no call is lost, bounds hold and each tool is served in order', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 4 }), (steps, threads) => {
      const queue = new CallQueue<Call>(threads);
      const waiting: Call[] = [];
      const running: Call[] = [];
      const begin = (): void => {
        for (let call = queue.next(); call !== undefined; call = queue.next()) {
          const { toolName } = call;
          assert.equal(
            call,
            waiting.find((each) => each.toolName === toolName),
            'the longest waiting of its tool',
          );
          if (running.length < threads) assert.equal(call, waiting[0], 'the longest waiting of all');
          else
            assert.ok(
              !running.some((each) => each.toolName === toolName),
              'the spare thread is for a tool that has none',
            );
          waiting.splice(waiting.indexOf(call), 1);
          running.push(call);
        }
      };
      let arrival = 0;
      for (const each of steps) {
        if (each.kind === 'arrives') {
          const call = { toolName: each.tool, arrival: (arrival += 1) };
          const admitted = queue.admits(call.toolName);
          queue.add(call);
          waiting.push(call);
          begin();
          assert.equal(running.includes(call), admitted);
        } else if (each.kind === 'ends' && running.length > 0) {
          const [call] = running.splice(each.which % running.length, 1);
          if (call !== undefined) queue.ended(call);
          begin();
        } else if (each.kind === 'givesUp' && waiting.length > 0) {
          const [call] = waiting.splice(each.which % waiting.length, 1);
          if (call !== undefined) {
            assert.equal(queue.remove(call), true);
            assert.equal(queue.remove(call), false);
          }
        }
        assert.equal(queue.waiting, waiting.length);
        assert.equal(queue.running, running.length);
        assert.ok(running.length <= threads + spareThreads);
        assert.ok(waiting.length === 0 || running.length >= threads, 'no thread rests while a call waits');
      }
    }),
  );
});

test('a tool that holds every thread leaves the spare one to the others, one after the other', () => {
  const queue = new CallQueue<Call>(2);
  const begun = (): string[] => {
    const names: string[] = [];
    for (let call = queue.next(); call !== undefined; call = queue.next())
      names.push(`${call.toolName}${String(call.arrival)}`);
    return names;
  };
  for (let arrival = 1; arrival <= 4; arrival += 1) queue.add({ toolName: 'stuck', arrival });
  assert.deepEqual(begun(), ['stuck1', 'stuck2']);
  const quick = { toolName: 'quick', arrival: 5 };
  queue.add(quick);
  queue.add({ toolName: 'other', arrival: 6 });
  assert.deepEqual(begun(), ['quick5']);
  queue.ended(quick);
  assert.deepEqual(begun(), ['other6']);
  assert.equal(queue.waiting, 2);
});
