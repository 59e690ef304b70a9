// Commands of a service of which one instance lives move with it, and a member that was stopped sends none of them
// once another member has the service.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { noServer as skip, shortLease, startMember, startNats } from '../labs/nats-lab.ts';
import { holderOf, number, plugin, statusOf } from '../labs/placed-plugin.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { writePlugin } from '../labs/written-plugin.ts';
import { untilAnswer } from '../labs/until.ts';

interface Receiver {
  readonly url: string;
  /** Answers 200 from now on; 503 before. */
  open: boolean;
  readonly taken: string[];
  refused: number;
}

async function startReceiver(t: TestContext): Promise<Receiver> {
  const receiver = { url: '', open: false, taken: [] as string[], refused: 0 };
  const server = createServer((request, response) => {
    request.resume();
    if (receiver.open) receiver.taken.push(String(request.headers['idempotency-key']));
    else receiver.refused += 1;
    response.statusCode = receiver.open ? 200 : 503;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  receiver.url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
  return receiver;
}

const code = `export const service = { start() {}, async handleIngress({ payload }, ctx) { await ctx.send('notify', { n: payload.n }); } };`;

test('commands that wait go out on the member that takes over, and on no other', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const receiver = await startReceiver(t);
  const service = {
    ingresses: [{ name: 'numbers', kinds: ['number'] }],
    outputs: [{ name: 'notify', type: 'http', url: receiver.url }],
    placement: 'one',
  };
  writePlugin(join(folder, 'p'), { manifest: { id: plugin, service }, files: { 'index.js': code } });
  const nats = await startNats(t);
  const start = (name: string) => startMember(t, nats, name, { plugins: [join(folder, 'p')], config: shortLease });
  const all = await Promise.all([start('one'), start('two')]);
  const holder = await holderOf(all);
  const other = all.find((member) => member !== holder);
  assert.ok(other !== undefined);
  await other.client.call('ingress.publish', { plugin, event: number(1) });
  await untilAnswer(
    'it was refused',
    () => Promise.resolve(receiver.refused),
    (refused) => refused > 0,
  );
  await untilAnswer(
    'handled',
    () => statusOf(holder),
    ({ counters }) => counters.handled === 1,
  );
  holder.daemon.signal('SIGSTOP');
  await untilAnswer(
    'the other has the command',
    () => statusOf(other),
    ({ outputs }) => outputs[0]?.pending === 1,
  );
  receiver.open = true;
  await untilAnswer(
    'it is sent',
    () => statusOf(other),
    ({ outputs }) => outputs[0]?.sent === 1,
  );
  holder.daemon.signal('SIGCONT');
  const woken = await untilAnswer(
    'the old one has let go of it',
    () => statusOf(holder),
    ({ lifecycle, outputs }) => lifecycle === 'stopped' && outputs[0]?.pending === 0,
  );
  assert.equal(woken.outputs[0]?.sent, 0);
  assert.equal(receiver.taken.length, 1);
  assert.deepEqual(woken.placement?.promises, {
    events: 'at_least_once',
    state: 'exactly_once',
    commands: 'at_least_once',
  });
});
