// The live feed: who listens gets what happens, in order; who does not keep up loses the oldest and is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FeedEvent, FeedNotification, FeedTopic } from '../../protocol/operations/telemetry.ts';
import { Feed, type FeedSubscription } from '../../daemon/telemetry/feed.ts';

const event = (number: number, topic: FeedTopic = 'lifecycle', plugin = 'one'): FeedEvent => ({
  topic,
  at: '2030-01-01T00:00:00.000Z',
  plugin,
  data: { number },
});

/** A subscriber whose willingness the test sets. */
function listen(
  feed: Feed,
  { buffer = 10, topics = ['lifecycle'] as FeedTopic[], plugin = undefined as string | undefined } = {},
) {
  const state = { taking: true, received: [] as FeedNotification[] };
  const subscription: FeedSubscription = feed.subscribe({
    filter: { topics, ...(plugin === undefined ? {} : { plugin }) },
    buffer,
    push: (notification) => {
      if (state.taking) state.received.push(notification);
      return state.taking;
    },
  });
  const numbers = (): unknown[] => state.received.map((notification) => notification.event.data['number']);
  return { state, subscription, numbers };
}

test('a subscriber gets the topics and the plugin it asked for, numbered from one, and nothing else', () => {
  const feed = new Feed();
  const all = listen(feed, { topics: ['lifecycle', 'failure'] });
  const one = listen(feed, { plugin: 'two' });
  feed.publish(event(1));
  feed.publish(event(2, 'failure'));
  feed.publish(event(3, 'counters'));
  feed.publish(event(4, 'lifecycle', 'two'));
  assert.deepEqual(all.numbers(), [1, 2, 4]);
  assert.deepEqual(one.numbers(), [4]);
  assert.deepEqual(
    all.state.received.map(({ sequence, dropped }) => [sequence, dropped]),
    [
      [1, 0],
      [2, 0],
      [3, 0],
    ],
  );
  assert.equal(one.state.received[0]?.sequence, 1);
  assert.equal(one.state.received[0]?.subscriptionId, one.subscription.id);
  assert.notEqual(one.subscription.id, all.subscription.id);
});

test('a topic nobody listens to is not wanted, so that its events need not be made', () => {
  const feed = new Feed();
  assert.equal(feed.wants('log'), false);
  const { subscription } = listen(feed, { topics: ['log', 'log'] });
  assert.equal(feed.wants('log'), true);
  assert.equal(feed.wants('failure'), false);
  assert.equal(feed.subscriptions, 1);
  subscription.close();
  subscription.close();
  assert.equal(feed.wants('log'), false);
  assert.equal(feed.subscriptions, 0);
});

test('what a subscriber does not take waits, and comes in order when it resumes', () => {
  const feed = new Feed();
  const { state, subscription, numbers } = listen(feed);
  state.taking = false;
  for (let number = 1; number <= 4; number += 1) feed.publish(event(number));
  assert.equal(subscription.buffered, 4);
  state.taking = true;
  feed.publish(event(5));
  assert.deepEqual(numbers(), [], 'nothing is pushed before resume, and nothing overtakes');
  subscription.resume();
  feed.publish(event(6));
  assert.deepEqual(numbers(), [1, 2, 3, 4, 5, 6]);
});

test('a full buffer drops the oldest, and the gap in the sequence is what was dropped', () => {
  const feed = new Feed();
  const { state, subscription, numbers } = listen(feed, { buffer: 3 });
  feed.publish(event(1));
  state.taking = false;
  for (let number = 2; number <= 9; number += 1) feed.publish(event(number));
  assert.equal(subscription.dropped, 5);
  assert.equal(feed.dropped, 5);
  state.taking = true;
  subscription.resume();
  assert.deepEqual(numbers(), [1, 7, 8, 9]);
  assert.deepEqual(
    state.received.map(({ sequence, dropped }) => [sequence, dropped]),
    [
      [1, 0],
      [7, 5],
      [8, 5],
      [9, 5],
    ],
  );
});

test('a slow subscriber holds up no other', () => {
  const feed = new Feed();
  const slow = listen(feed, { buffer: 1 });
  const quick = listen(feed);
  slow.state.taking = false;
  for (let number = 1; number <= 5; number += 1) feed.publish(event(number));
  assert.deepEqual(quick.numbers(), [1, 2, 3, 4, 5]);
  assert.equal(slow.subscription.dropped, 4);
  assert.equal(quick.subscription.dropped, 0);
});

test('a push that throws ends its own subscription and no other, and not the publisher', () => {
  const feed = new Feed();
  let calls = 0;
  feed.subscribe({
    filter: { topics: ['lifecycle'] },
    buffer: 10,
    push: () => {
      calls += 1;
      throw new Error('planned');
    },
  });
  const { numbers } = listen(feed);
  feed.publish(event(1));
  feed.publish(event(2));
  assert.deepEqual(numbers(), [1, 2]);
  assert.equal(calls, 1);
  assert.equal(feed.subscriptions, 1);
  assert.equal(feed.failed, 1);
});

test('a push may publish, resume, subscribe and close without disturbing the order', () => {
  const feed = new Feed();
  const seen: unknown[] = [];
  const subscription: FeedSubscription = feed.subscribe({
    filter: { topics: ['lifecycle'] },
    buffer: 10,
    push: ({ event: { data } }) => {
      seen.push(data['number']);
      if (data['number'] === 1) {
        feed.publish(event(2));
        subscription.resume();
        listen(feed);
      }
      if (data['number'] === 3) subscription.close();
      return true;
    },
  });
  feed.publish(event(1));
  feed.publish(event(3));
  feed.publish(event(4));
  assert.deepEqual(seen, [1, 2, 3]);
  assert.equal(feed.subscriptions, 1);
});

type Step = 'publish' | 'pause' | 'willing' | 'resume' | { readonly takes: number };

test('in any order of publishing, pausing and resuming: received, dropped and waiting make up what was published', () => {
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 4, arbitrary: fc.constant<Step>('publish') },
    fc.constantFrom<Step>('pause', 'willing', 'resume'),
    fc.record({ takes: fc.nat(5) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 6 }), (steps, buffer) => {
      const feed = new Feed();
      const received: FeedNotification[] = [];
      let willing = Infinity;
      let published = 0;
      const subscription = feed.subscribe({
        filter: { topics: ['lifecycle'] },
        buffer,
        push: (notification) => {
          if (willing === 0) return false;
          willing -= 1;
          received.push(notification);
          return true;
        },
      });
      const hold = (): void => {
        assert.equal(received.length + subscription.dropped + subscription.buffered, published);
        assert.ok(subscription.buffered <= buffer);
        assert.equal(feed.dropped, subscription.dropped);
        for (const [
          index,
          {
            sequence,
            dropped,
            event: { data },
          },
        ] of received.entries()) {
          assert.equal(sequence, data['number'], 'the sequence counts every event meant for it');
          // What had been dropped when it was pushed is at least what is missing before it.
          assert.ok(dropped >= sequence - 1 - index && sequence > (received[index - 1]?.sequence ?? 0));
        }
      };
      for (const next of steps) {
        if (next === 'publish') feed.publish(event((published += 1)));
        else if (next === 'pause') willing = 0;
        else if (next === 'willing') willing = Infinity;
        else if (next === 'resume') subscription.resume();
        else willing = next.takes;
        hold();
      }
      willing = Infinity;
      subscription.resume();
      assert.equal(subscription.buffered, 0);
      assert.equal(received.length + subscription.dropped, published);
      if (received.length > 0)
        assert.equal(received.at(-1)?.dropped, published - received.length, 'in the end the gaps are what was dropped');
      hold();
    }),
    { numRuns: 1000 },
  );
});
