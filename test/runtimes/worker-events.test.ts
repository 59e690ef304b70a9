// Following a worker: a snapshot first, then every event in order; whoever was away goes on where he was, and whoever
// was too slow or comes with a cursor that means nothing is told so and starts over.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Limits } from '../../daemon/config/schema.ts';
import type { WorkerSubscription } from '../../daemon/runtimes/runtime.ts';
import type { WorkerEvent } from '../../protocol/runtime.ts';
import { type RuntimeLab, refusal, runtimeLab, settled } from '../labs/runtime-lab.ts';

interface Scene extends RuntimeLab {
  readonly address: { readonly runtimeId: string; readonly workerId: string };
  input(content: string): Promise<void>;
}

async function scene(limits: Partial<Limits> = {}): Promise<Scene> {
  const lab = runtimeLab({ limits });
  const { workerId } = await lab.create();
  const address = { runtimeId: 'backend-internal', workerId };
  lab.program(workerId).onInput = ({ input, say, end }) => {
    say(`you said ${input.content}`);
    end('done');
  };
  return {
    ...lab,
    address,
    async input(content) {
      await lab.registry.input(address, { kind: 'user', content });
      await settled();
    },
  };
}

const types = (events: readonly WorkerEvent[]): string[] => events.map(({ type }) => type);
const turn = ['item', 'state', 'item', 'output', 'end', 'state'];

async function follow(t: Scene, after?: string): Promise<{ events: WorkerEvent[]; subscription: WorkerSubscription }> {
  const events: WorkerEvent[] = [];
  const subscription = await t.registry.subscribe(t.address, { after, push: (event) => events.push(event) > 0 });
  return { events, subscription };
}

test('a follower gets a snapshot with what was said, and then each event in order', async () => {
  const t = await scene();
  await t.input('before');
  const { events } = await follow(t);
  const [first] = events;
  assert.ok(first?.type === 'snapshot');
  assert.deepEqual(
    first.items.map(({ content }) => content),
    ['before', 'you said before'],
  );
  assert.equal(first.worker.workerId, t.address.workerId);
  await t.input('after');
  assert.deepEqual(types(events.slice(1)), turn);
  assert.deepEqual(
    events.flatMap((event) => (event.type === 'state' ? [event.state] : [])),
    ['busy', 'idle'],
  );
});

test('whoever comes back with the cursor of the last event gets exactly what came after it', async () => {
  const t = await scene();
  const { events, subscription } = await follow(t);
  await t.input('one');
  subscription.close();
  await t.input('two');
  assert.equal(events.length, 1 + turn.length, 'nothing comes after the close');
  const second = await follow(t, events.at(-1)?.cursor ?? '');
  assert.deepEqual(types(second.events), turn);
  const resumed = await follow(t, events[2]?.cursor ?? '');
  assert.deepEqual(types(resumed.events), [...turn.slice(2), ...turn]);
});

test('a cursor of another worker, of nobody, or of what is forgotten is answered by a diagnostic and a snapshot', async () => {
  const t = await scene({ workerEvents: 8 });
  const other = await scene();
  const foreign = (await follow(other)).events[0]?.cursor ?? '';
  for (const after of [foreign, 'nonsense', '', Buffer.from('x.y.z').toString('base64url')]) {
    const { events } = await follow(t, after);
    assert.deepEqual(types(events), ['diagnostic', 'snapshot'], after);
    assert.deepEqual(
      events.map((event) => (event.type === 'diagnostic' ? [event.code, event.cursor] : [])),
      [['cursor_foreign', null], []],
    );
  }
  const old = (await follow(t)).events[0]?.cursor ?? '';
  await t.input('one');
  await t.input('two');
  const { events } = await follow(t, old);
  assert.ok(events[0]?.type === 'diagnostic' && events[0].code === 'cursor_expired' && events[1]?.type === 'snapshot');
});

test('a follower that takes nothing for long holds nobody up, and gets a diagnostic and a fresh snapshot when it does', async () => {
  const t = await scene({ workerEvents: 10 });
  const slow: WorkerEvent[] = [];
  let takes = 2;
  const subscription = await t.registry.subscribe(t.address, {
    push: (event) => (takes -= 1) >= 0 && slow.push(event) > 0,
  });
  const quick = await follow(t);
  for (let count = 0; count < 5; count += 1) await t.input(String(count));
  assert.deepEqual(types(slow), ['snapshot', 'item']);
  assert.equal(quick.events.length, 1 + 5 * turn.length);
  takes = 100;
  subscription.resume();
  assert.deepEqual(types(slow.slice(2)), ['diagnostic', 'snapshot']);
  const [gap, fresh] = slow.slice(2);
  assert.ok(gap?.type === 'diagnostic' && gap.code === 'events_dropped');
  assert.ok(fresh?.type === 'snapshot' && fresh.items.at(-1)?.content === 'you said 4');
  await t.input('last');
  assert.deepEqual(types(slow.slice(4)), turn);
});

test('a follower that took nothing is asked again when it says so, and not with everything that happens', async () => {
  const t = await scene({ workerEvents: 10 });
  let asked = 0;
  const subscription = await t.registry.subscribe(t.address, { push: () => (asked += 1) < 0 });
  assert.equal(asked, 1);
  for (let count = 0; count < 5; count += 1) await t.input(String(count));
  assert.equal(asked, 1);
  subscription.resume();
  assert.equal(asked, 2);
});

test('a follower that comes when all has ended is told so at once', async () => {
  const t = await scene();
  await t.embedded.close(1000);
  let ended = false;
  await t.registry.subscribe(t.address, { push: () => true, ended: () => (ended = true) });
  assert.ok(ended);
});

test('a short pause loses nothing: what waits comes in order', async () => {
  const t = await scene();
  const events: WorkerEvent[] = [];
  let open = true;
  const subscription = await t.registry.subscribe(t.address, { push: (event) => open && events.push(event) > 0 });
  open = false;
  await t.input('one');
  assert.equal(events.length, 1);
  open = true;
  subscription.resume();
  assert.deepEqual(types(events), ['snapshot', ...turn]);
});

test('a listener that throws is let go and told, and neither the worker nor the others feel it', async () => {
  const t = await scene();
  let ended = false;
  const push = (event: WorkerEvent): boolean => {
    if (event.type === 'output') throw new Error("the listener's own");
    return true;
  };
  await t.registry.subscribe(t.address, { push, ended: () => (ended = true) });
  const { events } = await follow(t);
  await t.input('one');
  assert.ok(ended);
  assert.deepEqual(types(events), ['snapshot', ...turn]);
});

test('as many follow a worker as may', async () => {
  const t = await scene({ workerReaders: 2 });
  const { subscription } = await follow(t);
  await follow(t);
  const { code, details } = await refusal(() => follow(t));
  assert.deepEqual([code, details['limit']], ['too_many_requests', 'limits.workerReaders']);
  subscription.close();
  await follow(t);
});

test('pages of events join without a gap, and a snapshot never stands behind the end of one', async () => {
  const t = await scene();
  const begun = await t.registry.events(t.address, { limit: 1, waitMs: 0 });
  assert.deepEqual([types(begun.events), begun.more], [['snapshot'], false]);
  await t.input('one');
  const all: WorkerEvent[] = [];
  for (let after = begun.next, more = true; more;) {
    const page = await t.registry.events(t.address, { after, limit: 4, waitMs: 0 });
    assert.ok(page.events.length <= 4);
    all.push(...page.events);
    ({ next: after, more } = page);
  }
  assert.deepEqual(types(all), turn);
  const foreign = await t.registry.events(t.address, { after: 'nonsense', limit: 1, waitMs: 0 });
  assert.deepEqual(types(foreign.events), ['diagnostic', 'snapshot']);
});

test('a page waits for its first event as long as it was told, and no longer', async () => {
  const t = await scene();
  const { next } = await t.registry.events(t.address, { limit: 10, waitMs: 0 });
  assert.deepEqual((await t.registry.events(t.address, { after: next, limit: 10, waitMs: 20 })).events, []);
  const waiting = t.registry.events(t.address, { after: next, limit: 10, waitMs: 30_000 });
  await t.input('one');
  assert.equal((await waiting).events[0]?.type, 'item');
  const gone = new AbortController();
  const last = (await t.registry.events(t.address, { after: next, limit: 100, waitMs: 0 })).next;
  const abandoned = t.registry.events(t.address, { after: last, limit: 10, waitMs: 30_000, signal: gone.signal });
  gone.abort();
  assert.deepEqual((await abandoned).events, []);
  const ending = t.registry.events(t.address, { after: last, limit: 10, waitMs: 30_000 });
  await t.registry.close(1000);
  assert.deepEqual((await ending).events, [], 'and the end of the daemon ends the wait');
  assert.deepEqual(
    (await t.registry.events(t.address, { after: (await ending).next, limit: 10, waitMs: 30_000 })).events,
    [],
    'after which there is nothing to wait for',
  );
});
