// ctx.state of a service that moves among the members goes with it, and no event counts twice in it.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { noServer, shortLease, startMember, startNats } from '../labs/nats-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { writePlugin } from '../labs/written-plugin.ts';
import { untilAnswer } from '../labs/until.ts';

const skip = noServer;
const plugin = 'test.counter';

const code = `export const service = {
  start() {},
  async handleIngress({ payload }, ctx) {
    const seen = ctx.state.get('seen') ?? {};
    seen[payload.n] = (seen[payload.n] ?? 0) + 1;
    ctx.state.set('seen', seen);
    ctx.state.set('sum', (ctx.state.get('sum') ?? 0) + payload.n);
    if (payload.n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  },
};`;

test('what events changed is there after a kill, once for each of them', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const ingresses = [{ name: 'numbers', kinds: ['number'] }];
  const place = join(folder, plugin);
  writePlugin(place, {
    manifest: { id: plugin, service: { ingresses, placement: 'one', queue: { capacity: 1000 } } },
    files: { 'index.js': code },
  });
  const nats = await startNats(t);
  const members = await Promise.all(
    ['one', 'two'].map((name) => startMember(t, nats, name, { plugins: [place], config: shortLease })),
  );
  const [one, two] = members;
  assert.ok(one !== undefined && two !== undefined);
  const status = await untilAnswer(
    'a holder',
    () => one.client.call('service.status', { plugin }),
    ({ placement }) => placement?.member != null,
  );
  const [holder, other] = status.placement?.member === 'one' ? [one, two] : [two, one];
  const count = 300;
  const events = Array.from({ length: count }, (_, n) => ({ ingress: 'numbers', kind: 'number', payload: { n } }));
  const publishing = other.client.call('ingress.publish', { plugin, events });
  await untilAnswer(
    'some handled',
    () => holder.client.call('service.status', { plugin }),
    ({ counters }) => counters.handled >= 30,
  );
  holder.daemon.signal('SIGKILL');
  const answer = await publishing;
  assert.ok('results' in answer && answer.results.every(({ accepted }) => accepted));
  const { state } = await untilAnswer(
    'all in the state',
    () => other.client.call('service.state', { plugin }),
    ({ state: now }) => Object.keys(now['seen'] ?? {}).length === count,
  );
  assert.equal(state['sum'], (count * (count - 1)) / 2);
  assert.deepEqual(new Set(Object.values(state['seen'] as Record<string, number>)), new Set([1]));
});
