// Every command against a real daemon: what it prints for people, what it prints for programs, and its exit code.
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import type { DaemonStatus } from '../../protocol/operations/daemon.ts';
import type { ServiceStatus } from '../../protocol/status.ts';
import { serviceStatus } from '../../protocol/status.ts';
import { operations } from '../../protocol/operations.ts';
import { type ServedDaemon, examplesFolder, fileCleanup, jsonLines, nagaya, serve } from '../labs/cli-process.ts';
import { awkwardPlugin } from '../labs/cli-plugin.ts';

const file = fileCleanup();
let daemon: ServedDaemon;
before(async () => {
  daemon = await serve(file, ['--plugins', examplesFolder]);
  await daemon.json(['load', awkwardPlugin(join(daemon.folder, 'awkward')), '--start']);
});

test('ping says that the daemon answers, and how fast', async () => {
  const answer = (await daemon.json(['ping'])) as { pong: boolean; socket: string; tookMs: number };
  assert.equal(answer.pong, true);
  assert.equal(answer.socket, daemon.socket);
  assert.ok(answer.tookMs > 0);
  assert.match((await daemon.nagaya(['ping'])).stdout, /answered in \d/);
});

test('status shows the daemon and its services, and one service in full', async () => {
  const { daemon: host, services } = (await daemon.json(['status'])) as {
    daemon: DaemonStatus;
    services: ServiceStatus[];
  };
  operations['daemon.status'].result.parse(host);
  assert.equal(host.socket, daemon.socket);
  assert.deepEqual(services.map(({ pluginId }) => pluginId).toSorted(), [
    'example.chat-bot',
    'example.github-pushes',
    'example.greeter',
    'example.morning-report',
    'example.mqtt-lamp',
    'example.watched-folder',
    'example.webhook-counter',
    'test.awkward',
  ]);
  const said = await daemon.nagaya(['status']);
  assert.match(said.stdout, /^nagaya \d[^]*SERVICE[^]*example\.greeter +running/);

  const one = serviceStatus.parse(await daemon.json(['status', 'example.greeter', '--ask']));
  assert.equal(typeof (one.reported?.value as { greeted: number }).greeted, 'number');
  assert.match(
    (await daemon.nagaya(['status', 'example.greeter'])).stdout,
    /^example\.greeter +running[^]*queue +0 of 256/,
  );
});

test('deliver prints the output, and nothing else, on standard output', async () => {
  const said = await daemon.nagaya(['deliver', 'example.greeter', '{"name":"Ada"}']);
  assert.equal(said.code, 0, said.stderr);
  assert.deepEqual(JSON.parse(said.stdout), { greeting: 'Hello, Ada!' });
  assert.match(said.stderr, /^handled in /);
  const fromStdin = await daemon.nagaya(['deliver', 'example.greeter', '-', '--correlation-id', 'mine', '--json'], {
    input: '{"name":"Grace"}',
  });
  const answer = operations['ingress.deliver'].result.parse(JSON.parse(fromStdin.stdout));
  assert.deepEqual([answer.output, answer.correlationId, answer.attempt], [{ greeting: 'Hello, Grace!' }, 'mine', 1]);
});

test('an error of the host is told with its remedy, exit code 4, and with --json as an object', async () => {
  const said = await daemon.nagaya(['deliver', 'example.greeter', '{}']);
  assert.equal(said.code, 4);
  assert.equal(said.stdout, '');
  assert.match(said.stderr, /^nagaya: .*payload schema.*name[^]*remedy: Correct what is named above/);
  const json = await daemon.nagaya(['deliver', 'example.greeter', '{}', '--json']);
  assert.equal(json.code, 4);
  const error = JSON.parse(json.stderr) as {
    code: string;
    retryable: boolean;
    remedy: string;
    details: { issues: { path: string }[] };
  };
  assert.deepEqual(
    [error.code, error.retryable, error.details.issues[0]?.path],
    ['payload_invalid', false, 'payload.name'],
  );
});

test("the plugin's own error is told with its stack, and cannot act on the terminal", async () => {
  const said = await daemon.nagaya(['deliver', 'test.awkward', '{"do":"throw"}']);
  assert.equal(said.code, 4);
  assert.match(said.stderr, /cause: .*planned trouble/);
  assert.match(said.stderr, /\n +at .*index\.js:\d+/);
  assert.doesNotMatch(said.stderr, /(?!\n)\p{Cc}/u);
  const shown = await daemon.nagaya(['status', 'test.awkward'], { env: { FORCE_COLOR: '0' } });
  assert.match(shown.stdout, /last error +dispatch_failed/);
  assert.doesNotMatch(shown.stdout, /(?!\n)\p{Cc}/u);
});

test("a timeout of the caller's is the host's to keep", async () => {
  const said = await daemon.nagaya([
    'deliver',
    'test.awkward',
    '{"do":"wait","ms":60000}',
    '--timeout',
    '150',
    '--json',
  ]);
  assert.equal(said.code, 4);
  assert.equal((JSON.parse(said.stderr) as { code: string }).code, 'dispatch_timeout');
});

test('the ingress and kind are taken from the manifest where there is one of each, and asked for where not', async () => {
  const ambiguous = await daemon.nagaya(['publish', 'example.webhook-counter', '{"headers":{},"body":{}}']);
  assert.equal(ambiguous.code, 2);
  assert.match(ambiguous.stderr, /several kinds: push, issue, release\.\n +remedy: Name one with --kind/);
  const named = operations['ingress.publish'].result.parse(
    await daemon.json([
      'publish',
      'example.webhook-counter',
      '{"headers":{},"body":{}}',
      '--kind',
      'push',
      '--source',
      'forge',
    ]),
  );
  assert.equal('accepted' in named && named.accepted, true);
  const undeclared = await daemon.nagaya([
    'publish',
    'example.webhook-counter',
    '1',
    '--ingress',
    'webhooks',
    '--kind',
    'fork',
    '--json',
  ]);
  assert.equal(undeclared.code, 4);
  assert.equal((JSON.parse(undeclared.stderr) as { code: string }).code, 'invalid_event');
  const toolOnly = await daemon.nagaya(['publish', 'example.primes', '1']);
  assert.equal(toolOnly.code, 2);
  assert.match(toolOnly.stderr, /has no service/);
});

test('an event with an idempotency key is accepted once, and a key for many events is refused', async () => {
  const publish = (...words: string[]): ReturnType<typeof daemon.nagaya> =>
    daemon.nagaya(['publish', 'example.greeter', ...words, '--idempotency-key', 'only-once']);
  assert.match((await publish('{"name":"Ada"}')).stdout, /^queued /);
  const again = await publish('{"name":"Ada"}');
  assert.deepEqual([again.code, again.stdout], [0, 'an event with this key was accepted before\n']);
  assert.equal((await publish('-')).code, 2);
});

test('many events come from standard input or a file, one a line, each answered by its line', async () => {
  const lines = '{"name":"one"}\n\n{"name":"two"}\n{"name":"three"}';
  const ran = await daemon.nagaya(['publish', 'example.greeter', '-', '--json'], { input: lines });
  assert.equal(ran.code, 0, ran.stderr);
  assert.deepEqual(
    jsonLines(ran.stdout).map((row) => (row as { line: number; accepted: boolean }).line),
    [1, 3, 4],
  );
  const file = join(daemon.folder, 'events.ndjson');
  writeFileSync(
    file,
    `${JSON.stringify({ ingress: 'messages', kind: 'text', payload: { name: 'x' } })}\n${JSON.stringify({ ingress: 'nowhere', kind: 'text' })}\n`,
  );
  const some = await daemon.nagaya(['publish', 'example.greeter', '--file', file, '--events']);
  assert.equal(some.code, 4);
  assert.equal(some.stdout, '1 event queued, 1 refused\n');
  assert.match(some.stderr, /^line 2: /);
  const broken = await daemon.nagaya(['publish', 'example.greeter', '-'], { input: '{"name":"ok"}\nnot json\n' });
  assert.equal(broken.code, 2);
  assert.match(broken.stderr, /The payload in line 2 is not JSON/);
  assert.equal((await daemon.nagaya(['publish', 'example.greeter', '--file', join(daemon.folder, 'none')])).code, 2);
});

test('a full queue refuses what does not fit, and with --wait every event finds its place in order', async () => {
  // An event of an earlier test may still hang, and a restart would keep it.
  await daemon.json(['stop', 'test.awkward', '--now', '--discard']);
  await daemon.json(['start', 'test.awkward']);
  const events = Array.from({ length: 300 }, (_, number) => JSON.stringify({ do: 'note', number })).join('\n');
  const waited = await daemon.nagaya(['publish', 'test.awkward', '-', '--wait'], { input: events });
  assert.equal(waited.code, 0, waited.stderr);
  assert.equal(waited.stdout, '300 events queued\n');
  const { output } = (await daemon.json(['deliver', 'test.awkward', '{"do":"tell"}', '--timeout', '30000'])) as {
    output: number[];
  };
  assert.deepEqual(
    output,
    Array.from({ length: 300 }, (_, number) => number),
  );

  await daemon.json(['publish', 'test.awkward', '{"do":"wait","ms":2000}']);
  const refused = await daemon.nagaya(['publish', 'test.awkward', '-'], { input: events });
  assert.equal(refused.code, 4);
  assert.match(refused.stdout, /^\d+ events queued, \d+ refused\n$/);
  assert.equal(refused.stderr.split('\n').filter((line) => line.startsWith('line ')).length, 10);
});

test('tools are listed with what they take, and called', async () => {
  const { tools } = operations['tool.list'].result.parse(await daemon.json(['tools']));
  assert.ok(tools.some(({ plugin, name }) => plugin === 'example.primes' && name === 'primes'));
  assert.match((await daemon.nagaya(['tools'])).stdout, /PLUGIN[^]*example\.primes +primes/);
  assert.match((await daemon.nagaya(['tools', 'example.primes'])).stdout, /^primes +pooled[^]*input +\{/);

  const said = await daemon.nagaya(['call', 'example.primes', 'primes', '{"below":100}']);
  assert.deepEqual(JSON.parse(said.stdout), { count: 25, largest: 97 });
  const json = operations['tool.call'].result.parse(
    await daemon.json(['call', 'example.slugify', 'slugify', '{"title":"A Title"}']),
  );
  assert.deepEqual(json.output, { slug: 'a-title' });
  const wrong = await daemon.nagaya(['call', 'example.primes', 'primes', '{"below":1}']);
  assert.equal(wrong.code, 4);
  assert.match(wrong.stderr, /below/);
  assert.equal((await daemon.nagaya(['call', 'example.primes', 'nothing'])).code, 4);
});

test('Ctrl-C cancels the call itself', async (t) => {
  const calling = daemon.start(['call', 'test.awkward', 'sleep', '{"ms":60000}', '--json']);
  t.after(() => calling.child.kill('SIGKILL'));
  await waitFor(
    async () => ((await daemon.json(['status'])) as { daemon: DaemonStatus }).daemon.counts.toolCallsPending === 1,
  );
  calling.child.kill('SIGINT');
  const ran = await calling.ended;
  assert.equal(ran.code, 4);
  assert.equal((JSON.parse(ran.stderr) as { code: string }).code, 'tool_cancelled');
  await waitFor(
    async () => ((await daemon.json(['status'])) as { daemon: DaemonStatus }).daemon.counts.toolCallsPending === 0,
  );
});

test('a service is stopped, started and restarted, and a plugin unloaded and loaded', async () => {
  assert.equal(((await daemon.json(['stop', 'example.greeter', '--now'])) as ServiceStatus).lifecycle, 'stopped');
  const refused = await daemon.nagaya(['deliver', 'example.greeter', '{"name":"x"}', '--json']);
  assert.equal((JSON.parse(refused.stderr) as { code: string }).code, 'service_stopped');
  assert.match(
    (await daemon.nagaya(['start', 'example.greeter'])).stdout,
    /^example\.greeter is running \(incarnation \d+\)\n$/,
  );
  const { incarnation } = (await daemon.json(['restart', 'example.greeter'])) as ServiceStatus;
  assert.ok(incarnation >= 2);

  assert.deepEqual(await daemon.json(['unload', 'example.greeter']), {
    plugin: { id: 'example.greeter', state: 'unloaded' },
    kept: 0,
    discarded: 0,
  });
  assert.equal((await daemon.nagaya(['start', 'example.greeter'])).code, 4);
  const loaded = await daemon.nagaya(['load', 'greeter'], { cwd: examplesFolder });
  assert.equal(loaded.code, 0);
  assert.match(loaded.stdout, /^example\.greeter 1\.0\.0 is loaded\n$/);
  assert.match(loaded.stderr, /start its service with `nagaya start example\.greeter`/);
  assert.equal(((await daemon.json(['start', 'example.greeter'])) as ServiceStatus).lifecycle, 'running');
  assert.equal((await daemon.nagaya(['load', join(examplesFolder, 'greeter'), '--json'])).code, 4);
});

test('plugins lists what is loaded', async () => {
  const { plugins } = operations['plugin.list'].result.parse(await daemon.json(['plugins']));
  assert.ok(plugins.some(({ id }) => id === 'example.primes'));
  assert.match((await daemon.nagaya(['plugins'])).stdout, /PLUGIN[^]*example\.primes +1\.0\.0 +loaded/);
});

test('logs prints the newest lines of a plugin or of the daemon, and --json one line each', async () => {
  const said = await daemon.nagaya(['logs', 'example.webhook-counter', '-n', '5']);
  assert.equal(said.code, 0);
  assert.match(said.stdout, /info +#1 /);
  const own = await daemon.nagaya(['logs', '--json', '-n', '1000']);
  const lines = jsonLines(own.stdout) as { msg: string }[];
  assert.ok(lines.some(({ msg }) => msg === 'listening'));
  assert.equal((await daemon.nagaya(['logs', 'nobody'])).code, 4);
});

test('logs -f goes on with what comes, without control characters of the plugin, until Ctrl-C', async () => {
  const following = daemon.start(['logs', 'test.awkward', '-f', '-n', '0']);
  // What is logged before it follows is not shown.
  await waitFor(async () => {
    await daemon.json(['deliver', 'test.awkward', '{"do":"log"}']);
    return following.stdout().includes('coloured');
  });
  following.child.kill('SIGINT');
  const ran = await following.ended;
  assert.equal(ran.code, 0);
  assert.doesNotMatch(ran.stdout, /(?!\n)\p{Cc}/u);
});

test('timeline tells what happened in order', async () => {
  const { entries } = operations['timeline.read'].result.parse(
    await daemon.json(['timeline', 'example.webhook-counter']),
  );
  assert.ok(entries.length > 0);
  assert.deepEqual(
    entries.map(({ sequence }) => sequence),
    entries.map(({ sequence }) => sequence).toSorted((one, other) => one - other),
  );
  assert.match(
    (await daemon.nagaya(['timeline', 'example.webhook-counter', '-n', '1'])).stdout,
    /^ +1 \d{4}-\d\d-\d\d \d\d:/,
  );
});

test('watch --json begins with a snapshot and goes on with every event', async () => {
  const watching = daemon.start(['watch', '--json', 'test.awkward']);
  await watching.until('the snapshot', ({ stdout }) => stdout.includes('\n'));
  await daemon.json(['restart', 'test.awkward']);
  await daemon.nagaya(['deliver', 'test.awkward', '{"do":"throw"}']);
  await watching.until(
    'a failure and counters',
    ({ stdout }) => stdout.includes('"topic":"failure"') && stdout.includes('"topic":"counters"'),
  );
  watching.child.kill('SIGINT');
  const ran = await watching.ended;
  assert.equal(ran.code, 0);
  const events = jsonLines(ran.stdout) as {
    topic: string;
    plugin?: string;
    services?: ServiceStatus[];
    data?: { to?: string };
  }[];
  assert.equal(events[0]?.topic, 'snapshot');
  assert.deepEqual(
    events[0]?.services?.map(({ pluginId }) => pluginId),
    ['test.awkward'],
  );
  assert.deepEqual(
    events.filter(({ topic }) => topic === 'lifecycle').map(({ data }) => data?.to),
    ['stopping', 'starting', 'running'],
  );
  assert.ok(events.slice(1).every(({ plugin }) => plugin === 'test.awkward'));
});

test('watch in a pipe tells each event in a line', async () => {
  const watching = daemon.start(['watch']);
  await watching.until('the services', ({ stdout }) => stdout.includes('example.webhook-counter is running'));
  await daemon.json(['restart', 'example.webhook-counter']);
  await watching.until('the restart', ({ stdout }) => stdout.includes('starting → running'));
  watching.child.kill('SIGINT');
  assert.equal((await watching.ended).code, 0);
});

test('doctor finds the daemon', async () => {
  const { findings } = (await daemon.json(['doctor'])) as { findings: { check: string; message: string }[] };
  assert.match(findings.find(({ check }) => check === 'daemon')?.message ?? '', /pid \d+, up/);
  assert.match(findings.find(({ check }) => check === 'socket and lock')?.message ?? '', /in use/);
});

test('plugin ids and tools are completed from the daemon', async () => {
  const ids = await daemon.nagaya(['__complete', 'status', 'example.we']);
  assert.equal(ids.stdout, 'example.webhook-counter\tWebhook counter\n:none\n');
  const tools = await daemon.nagaya(['__complete', 'call', 'example.primes', '']);
  assert.match(tools.stdout, /^primes\t/);
});

test('a second daemon at the same socket says who has it, exit code 3', async (t) => {
  const second = await nagaya(t, ['serve', '--socket', daemon.socket], {
    env: { NAGAYA_STATE: join(daemon.folder, 'second') },
  });
  assert.equal(second.code, 3);
  const {
    daemon: { pid },
  } = (await daemon.json(['status'])) as { daemon: DaemonStatus };
  assert.ok(
    second.stderr.includes(`(pid ${String(pid)}, guardian ${String(daemon.running.child.pid)})`),
    second.stderr,
  );
  assert.equal(second.stdout, '');
});

test('shutdown answers when the daemon has ended and its socket is gone', async (t) => {
  const other = await serve(t);
  const {
    daemon: { pid },
  } = (await other.json(['status'])) as { daemon: DaemonStatus };
  const answer = (await other.json(['shutdown'])) as { ended: boolean; pid: number };
  assert.deepEqual([answer.ended, answer.pid], [true, pid]);
  assert.equal((await other.running.ended).code, 0);
  assert.equal(existsSync(other.socket), false);
});

test('a daemon with nothing to stop says too that no event was discarded', async (t) => {
  const other = await serve(t);
  assert.match((await other.nagaya(['shutdown'])).stdout, /^the daemon has ended; no event was discarded$/m);
});

test('a daemon that goes away ends those who follow it with an error', async (t) => {
  const other = await serve(t);
  const following = other.start(['watch']);
  await waitFor(
    async () => ((await other.json(['status'])) as { daemon: DaemonStatus }).daemon.counts.subscriptions > 0,
  );
  other.running.child.kill('SIGKILL');
  const ran = await following.ended;
  assert.equal(ran.code, 1);
  assert.match(ran.stderr, /closed the connection/);
});

async function waitFor(fulfilled: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await fulfilled())) assert.ok(performance.now() < deadline, 'waited without success');
}
