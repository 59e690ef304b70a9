// testPlugin runs a plugin in a real daemon, gives its errors as the host's own, and leaves nothing behind.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { HostError } from '../../protocol/errors.ts';
import { testPlugin } from '../../workers/sdk/test-plugin.ts';
import { startProcess, temporaryFolder } from '../labs/cli-process.ts';
import { until } from '../labs/until.ts';

const service = { ingresses: [{ name: 'in', kinds: ['k'] }] };

function plugin(t: TestContext, manifest: Record<string, unknown>, entry: string): string {
  const folder = join(temporaryFolder(t), 'plugin');
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'plugin.json'),
    JSON.stringify({
      schemaVersion: 1,
      id: 'test.harness',
      name: 'H',
      version: '1.0.0',
      entry: './index.mjs',
      ...manifest,
    }),
  );
  writeFileSync(join(folder, 'index.mjs'), entry);
  return folder;
}

const echo = `
export const service = {
  start(ctx) { ctx.log.info('up', { config: ctx.config }); },
  handleIngress: (event, ctx) => ({ event, config: ctx.config, token: process.env.HARNESS_TOKEN ?? null, home: process.env.HOME ?? null }),
  status: () => 'fine',
};
export const tools = { echo: (input) => input };
`;

test('deliver, publish, call, status, logs and restart reach the plugin, with its configuration and environment', async (t) => {
  const folder = plugin(t, { service, tools: [{ name: 'echo' }], env: ['HARNESS_TOKEN'] }, echo);
  const under = await testPlugin(folder, {
    config: { greeting: 'hi' },
    env: { HARNESS_TOKEN: 'abc' },
    overrides: { queue: { capacity: 3 } },
  });
  t.after(() => under.close());
  assert.equal(under.id, 'test.harness');

  const payload = await under.deliver({ a: 1 }, { correlationId: 'c-1', source: 'me' });
  // The plugin's own answer: what it saw of the event.
  const seen = payload.output as {
    event: Record<string, unknown>;
    config: unknown;
    token: string;
    home: string | null;
  };
  assert.deepEqual(
    [seen.event['ingress'], seen.event['kind'], seen.event['payload'], seen.event['source'], payload.correlationId],
    ['in', 'k', { a: 1 }, 'me', 'c-1'],
  );
  assert.deepEqual([seen.config, seen.token, seen.home], [{ greeting: 'hi' }, 'abc', null]);
  const whole = await under.deliver({ ingress: 'in', kind: 'k', payload: 7 });
  assert.equal((whole.output as { event: { payload: number } }).event.payload, 7);

  const { correlationId, queueDepth } = await under.publish('text');
  assert.equal(typeof correlationId, 'string');
  assert.equal(queueDepth, 0);
  assert.deepEqual((await under.call('echo', { b: 2 })).output, { b: 2 });
  const status = await under.status();
  assert.equal(status.reported?.value, 'fine');
  assert.equal(status.queue.capacity, 3);
  assert.ok((await under.logs()).some(({ msg }) => msg === 'up'));
  assert.equal((await under.restart()).incarnation, 2);
});

test('what the host refuses rejects with its code', async (t) => {
  const under = await testPlugin(plugin(t, { service, tools: [{ name: 'echo' }] }, echo));
  t.after(() => under.close());
  await assert.rejects(
    under.deliver({ ingress: 'other', kind: 'k' }),
    (error: HostError) => error instanceof HostError && error.code === 'invalid_event',
  );
  await assert.rejects(under.call('none'), { code: 'tool_not_found' });
});

test('a service with several kinds asks which is meant', async (t) => {
  const under = await testPlugin(plugin(t, { service: { ingresses: [{ name: 'in', kinds: ['k', 'l'] }] } }, echo));
  t.after(() => under.close());
  await assert.rejects(under.deliver(1), { code: 'invalid_event' });
  assert.equal(((await under.deliver(1, { kind: 'l' })).output as { event: { kind: string } }).event.kind, 'l');
});

test("a start that fails rejects with the host's error and tells what the logs hold", async (t) => {
  const folder = plugin(
    t,
    { service },
    `console.log('about to fail'); export const service = { start() { throw new Error('planned'); }, handleIngress() {} };`,
  );
  await assert.rejects(testPlugin(folder), (error: HostError) => {
    assert.equal(error.code, 'start_failed');
    assert.match(error.message, /planned/);
    assert.match(error.message, /The plugin's log:[^]*about to fail/);
    assert.match(error.message, /The daemon's log:[^]*listening/);
    return true;
  });
});

test('a plugin that is not valid rejects with each fault', async (t) => {
  await assert.rejects(testPlugin(plugin(t, { servce: {} }, '')), (error: HostError) => {
    assert.equal(error.code, 'plugin_invalid');
    assert.match(error.message, /servce: unknown key; did you mean "service"\?/);
    return true;
  });
  await assert.rejects(testPlugin(join(temporaryFolder(t), 'none')), { code: 'plugin_invalid' });
});

test("overrides that are not valid reject with the daemon's own words", async (t) => {
  await assert.rejects(
    testPlugin(plugin(t, { service }, echo), { overrides: { queue: { capacity: 'many' } } }),
    (error: HostError) => {
      assert.match(error.message, /did not start[^]*queue\.capacity/);
      return true;
    },
  );
});

test('the folder may be a file URL, and closing twice closes once', async (t) => {
  const under = await testPlugin(pathToFileURL(plugin(t, { tools: [{ name: 'echo' }] }, echo)));
  const { socket } = under;
  assert.equal(existsSync(socket), true);
  await Promise.all([under.close(), under.close()]);
  assert.equal(existsSync(dirname(socket)), false);
  await assert.rejects(under.call('echo', 1), { code: 'connection_closed' });
});

test('leaving an `await using` block closes it', async (t) => {
  let socket: string;
  {
    await using under = await testPlugin(plugin(t, { tools: [{ name: 'echo' }] }, echo));
    ({ socket } = under);
    assert.equal((await under.call('echo', 1)).output, 1);
  }
  assert.equal(existsSync(dirname(socket)), false);
});

const sdk = new URL('../../dist/workers/sdk/index.js', import.meta.url).href;

/** Tells the daemon's pid and socket, then does as it is told and never closes. */
function forgetful(folder: string, then: string): string {
  return `
import { testPlugin } from ${JSON.stringify(sdk)};
import { connect } from ${JSON.stringify(new URL('../../dist/protocol/client/client.js', import.meta.url).href)};
const under = await testPlugin(${JSON.stringify(folder)});
const client = await connect({ socket: under.socket });
const { pid } = await client.call('daemon.status', {});
await client.close();
console.log(JSON.stringify({ pid, socket: under.socket }));
${then}
`;
}

interface Told {
  readonly pid: number;
  readonly socket: string;
}

async function startForgetful(
  t: TestContext,
  then: string,
): Promise<{ told: Told; running: ReturnType<typeof startProcess> }> {
  const folder = plugin(t, { tools: [{ name: 'echo' }] }, echo);
  const script = join(folder, 'forgetful.mjs');
  writeFileSync(script, forgetful(folder, then));
  const running = startProcess(t, process.execPath, [script]);
  await running.until('the daemon of the test', ({ stdout }) => stdout.includes('\n'));
  return { told: JSON.parse(running.stdout()) as Told, running };
}

async function gone(pid: number): Promise<void> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return; // no such process: what was waited for
    }
    assert.ok(performance.now() < deadline, `process ${String(pid)} is still there`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a test that forgets to close ends all the same, and leaves neither daemon nor folder', async (t) => {
  const { told, running } = await startForgetful(t, '');
  const ran = await running.ended;
  assert.equal(ran.code, 0, ran.stderr);
  await gone(told.pid);
  assert.equal(existsSync(dirname(told.socket)), false);
});

test('a test that is killed leaves no daemon', async (t) => {
  const { told, running } = await startForgetful(t, 'setInterval(() => {}, 1000);');
  running.child.kill('SIGKILL');
  await running.ended;
  await gone(told.pid);
  assert.equal(existsSync(told.socket), false);
  // Nobody was left to remove what was the killed process's own.
  rmSync(dirname(told.socket), { recursive: true, force: true });
});

test('a published event is tried again, and PermanentError and RetryLater of the SDK say otherwise', async (t) => {
  const folder = plugin(
    t,
    { service },
    `
import { PermanentError, RetryLater } from ${JSON.stringify(sdk)};
export const service = {
  start() {},
  handleIngress({ payload, attempt }) {
    if (payload === 'never') throw new PermanentError('of no use', { cause: new Error('gone') });
    if (payload === 'later' && attempt === 1) throw new RetryLater('not yet', { afterMs: 10 });
    if (payload === 'waits') throw new Error('planned');
  },
};`,
  );
  const under = await testPlugin(folder, { overrides: { retry: { maxAttempts: 2, backoffMs: [600_000, 600_000] } } });
  t.after(() => under.close());
  for (const payload of ['never', 'later', 'waits']) await under.publish(payload);
  const hasAllEnds = async (): Promise<boolean> => {
    const { handled, threw } = (await under.status()).counters;
    return handled === 1 && threw === 3;
  };
  await until('each has ended or waits', hasAllEnds, 20_000);
  const { counters, retrying, deadLetters } = await under.status();
  assert.deepEqual([counters.handled, counters.threw, retrying.count, deadLetters.count], [1, 3, 1, 1]);
  await assert.rejects(under.deliver('never'), {
    code: 'dispatch_failed',
    message: 'The handler failed: of no use: gone',
  });
});

test('a worker of the plugin takes inputs, and shows what is in its ctx.state', async (t) => {
  const folder = plugin(
    t,
    { profiles: [{ name: 'count' }] },
    `export const profiles = { count: { onInput(input, ctx) {
       const inputs = (ctx.state.get('inputs') ?? 0) + 1;
       ctx.state.set('inputs', inputs);
       if (input.content === 'fail') throw new Error('not this one');
       ctx.say(input.content + '?');
       ctx.say(' ' + inputs);
     } } };`,
  );
  const under = await testPlugin(folder);
  t.after(() => under.close());
  const worker = await under.worker('count');
  assert.deepEqual(await worker.state(), {});
  assert.deepEqual(await worker.input('one'), { status: 'done', said: 'one? 1' });
  const failed = await worker.input('fail');
  assert.deepEqual([failed.status, failed.said], ['failed', '']);
  assert.match(failed.reason ?? '', /^dispatch_failed/);
  assert.deepEqual(await worker.state(), { inputs: 1 });
  assert.deepEqual(await worker.input('two'), { status: 'done', said: 'two? 2' });
  assert.deepEqual(await (await under.worker()).state(), {});
  await assert.rejects(under.worker('other'), { code: 'profile_not_found' });
});

test('what a plugin imports from the SDK loads neither the harness nor a schema library', async (t) => {
  const folder = temporaryFolder(t);
  const hooks = join(folder, 'hooks.mjs');
  writeFileSync(
    hooks,
    `import { writeSync } from 'node:fs';
export async function load(url, context, next) { writeSync(1, url + '\\n'); return next(url, context); }`,
  );
  const script = join(folder, 'script.mjs');
  writeFileSync(
    script,
    `import { register } from 'node:module';
register(${JSON.stringify(pathToFileURL(hooks).href)});
await import(${JSON.stringify(sdk)});`,
  );
  const ran = await startProcess(t, process.execPath, [script]).ended;
  assert.equal(ran.code, 0, ran.stderr);
  assert.deepEqual(ran.stdout.trim().split('\n'), [sdk, new URL('./retry-errors.js', sdk).href]);
});
