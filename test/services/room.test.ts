// Those who wait for room: let in in the order in which they came, each once, and nobody lost when others stop waiting.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CapacityWaiters } from '../../daemon/services/capacity-waiters.ts';

/** Wants so many places, of which there are `free`. */
function crowd(wants: readonly number[]): {
  readonly room: CapacityWaiters;
  readonly done: number[];
  offer(places: number): void;
  leave(who: number): void;
} {
  const room = new CapacityWaiters();
  const done: number[] = [];
  let free = 0;
  const stops = wants.map((want, who) => {
    let left = want;
    const stop = room.wait(() => {
      while (left > 0 && free > 0) {
        left -= 1;
        free -= 1;
      }
      if (left > 0) return false;
      stop();
      done.push(who);
      return true;
    });
    return stop;
  });
  return {
    room,
    done,
    offer(places) {
      free += places;
      room.offer();
    },
    leave: (who) => stops[who]?.(),
  };
}

test('everybody is let in, in the order of coming, however the places come', () => {
  const { room, done, offer } = crowd([1, 2, 1, 3, 1]);
  offer(2);
  assert.deepEqual(done, [0]);
  offer(2);
  assert.deepEqual(done, [0, 1, 2]);
  offer(10);
  assert.deepEqual(done, [0, 1, 2, 3, 4]);
  assert.ok(!room.awaited);
});

test("who leaves gives nobody else's place away", () => {
  const { room, done, offer, leave } = crowd([1, 1, 1]);
  leave(1);
  offer(1);
  offer(1);
  assert.deepEqual(done, [0, 2]);
  assert.ok(!room.awaited);
});
