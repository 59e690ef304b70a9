// What monitoring gets: metrics that Prometheus' own tool finds nothing wrong with, and whether the daemon is ready, on
// the socket and on the port, to those who may have it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import type { Health } from '../../protocol/health.ts';
import {
  type ServedDaemon,
  examplesFolder,
  fileCleanup,
  jsonLines,
  serve,
  temporaryFolder,
} from '../labs/cli-process.ts';
import { type HttpAnswer, ask } from '../labs/http-client.ts';
import { until } from '../labs/until.ts';

const files = fileCleanup();
let daemon: ServedDaemon;
let place: { host: string; port: number };
let tokens: { token: string; readToken: string; metricsToken: string; toolsToken: string };

before(async () => {
  const folder = temporaryFolder(files);
  const config = join(folder, 'nagaya.json');
  writeFileSync(config, JSON.stringify({ http: { port: 0 } }));
  // Some other examples have sources whose secrets are not set.
  daemon = await serve(files, [
    '--config',
    config,
    '--plugins',
    `${examplesFolder}/greeter`,
    `${examplesFolder}/primes`,
  ]);
  const [{ browser }] = jsonLines(daemon.running.stdout()) as [{ browser: string }];
  place = { host: '127.0.0.1', port: Number(browser.split(':').at(-1)) };
  tokens = JSON.parse(readFileSync(join(daemon.folder, 'state/browser/tokens.json'), 'utf8')) as typeof tokens;
});

const metrics = async (): Promise<string> => (await ask(daemon.socket, 'GET', '/metrics')).text;
const atPort = (path: string, token?: string): Promise<HttpAnswer> =>
  ask(place, 'GET', path, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } });

function valueOf(text: string, series: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  assert.ok(line !== undefined, `no ${series}`);
  return Number(line.slice(series.length + 1));
}

const withoutPromtool = spawnSync('promtool', ['--version']).status === 0 ? false : 'needs promtool';

test('promtool finds nothing to say about the metrics', { skip: withoutPromtool }, async () => {
  await daemon.json(['deliver', 'example.greeter', '{"name":"Ada"}']);
  await daemon.json(['call', 'example.primes', 'primes', '{"below":100}']);
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: await metrics(),
    encoding: 'utf8',
  });
  assert.deepEqual({ status, said: stdout + stderr }, { status: 0, said: '' });
});

test('metrics tell of events, calls and processor time of each plugin', async () => {
  const before = await metrics();
  await daemon.json(['deliver', 'example.greeter', '{"name":"Ada"}']);
  await daemon.json(['call', 'example.primes', 'primes', '{"below":100}']);
  const now = await metrics();
  const handled = 'nagaya_events_total{plugin="example.greeter",outcome="handled"}';
  assert.equal(valueOf(now, handled) - valueOf(before, handled), 1);
  assert.equal(valueOf(now, 'nagaya_event_handle_seconds_count{plugin="example.greeter"}'), valueOf(now, handled));
  assert.ok(valueOf(now, 'nagaya_tool_calls_total{plugin="example.primes",tool="primes",outcome="ok"}') >= 1);
  assert.ok(valueOf(now, 'nagaya_plugin_cpu_seconds_total{plugin="example.greeter"}') >= 0);
  for (const line of now.split('\n')) assert.match(line, /^$|^# (?:HELP|TYPE) nagaya_|^nagaya_/);
});

test('the port gives metrics to its tokens, and to a token of their own that allows nothing else', async () => {
  assert.equal((await atPort('/metrics')).status, 401);
  assert.equal((await atPort('/metrics', 'x'.repeat(43))).status, 401);
  assert.equal((await atPort('/metrics', tokens.toolsToken)).status, 401, 'that is for MCP clients alone');
  for (const token of [tokens.token, tokens.readToken, tokens.metricsToken]) {
    const answer = await atPort('/metrics', token);
    assert.equal(answer.status, 200);
    assert.match(String(answer.headers['content-type']), /^text\/plain; version=0\.0\.4/);
  }
  assert.equal((await atPort('/api/runtimes', tokens.metricsToken)).status, 403);
  assert.equal((await atPort('/api/runtimes', tokens.readToken)).status, 200);
  assert.equal(
    (await ask(place, 'POST', '/metrics', { headers: { authorization: `Bearer ${tokens.token}` } })).status,
    405,
  );
});

test('a service that was given up makes the daemon not ready, which says why to those who may know', async () => {
  assert.equal((await ask(daemon.socket, 'GET', '/livez')).status, 200);
  assert.equal((await ask(daemon.socket, 'GET', '/readyz')).status, 200);
  assert.equal((await daemon.nagaya(['health'])).code, 0);
  const folder = join(daemon.folder, 'broken');
  mkdirSync(folder);
  const manifest = {
    schemaVersion: 1,
    id: 'test.broken',
    name: 'Broken',
    version: '1.0.0',
    entry: './index.js',
    service: { ingresses: [{ name: 'in', kinds: ['x'] }] },
  };
  writeFileSync(join(folder, 'plugin.json'), JSON.stringify(manifest));
  writeFileSync(join(folder, 'index.js'), 'export const service = {};\n');
  await daemon.nagaya(['load', folder, '--start']);
  await until('the service to be given up', async () => (await ask(daemon.socket, 'GET', '/readyz')).status === 503);
  const { reasons } = (await ask(daemon.socket, 'GET', '/readyz')).json as unknown as Health;
  assert.deepEqual(
    reasons.map(({ code, plugin }) => [code, plugin]),
    [['service_failed', 'test.broken']],
  );
  const anybody = await atPort('/readyz');
  assert.equal(anybody.status, 503);
  assert.doesNotMatch(anybody.text, /broken/);
  assert.match((await atPort('/readyz', tokens.metricsToken)).text, /test\.broken/);
  assert.equal((await atPort('/livez')).status, 200);
  const told = await daemon.nagaya(['health']);
  assert.equal(told.code, 1);
  assert.match(told.stdout, /not ready\n {2}The service of test\.broken was given up/);
  assert.match(await metrics(), /^nagaya_ready 0$/m);
  await daemon.json(['unload', 'test.broken']);
  assert.equal((await ask(daemon.socket, 'GET', '/readyz')).status, 200);
});

test('scrapers that come at once get the same text, and one that comes later what has happened since', async () => {
  const [one, other] = await Promise.all([metrics(), metrics()]);
  const handled = 'nagaya_events_total{plugin="example.greeter",outcome="handled"}';
  assert.equal(valueOf(one, handled), valueOf(other, handled));
  await daemon.json(['deliver', 'example.greeter', '{"name":"Ada"}']);
  assert.equal(valueOf(await metrics(), handled), valueOf(one, handled) + 1);
});

test('a source that is deaf makes the daemon not ready, and metrics tell of it', async () => {
  const folder = join(daemon.folder, 'deaf');
  mkdirSync(folder);
  const source = { name: 'chat', type: 'websocket', url: 'ws://127.0.0.1:9/', auth: { env: 'NOT_SET_ANYWHERE' } };
  const manifest = {
    schemaVersion: 1,
    id: 'test.deaf',
    name: 'Deaf',
    version: '1.0.0',
    entry: './index.js',
    service: { ingresses: [{ name: 'in', kinds: ['x'] }], sources: [{ ...source, ingress: 'in', kind: 'x' }] },
  };
  writeFileSync(join(folder, 'plugin.json'), JSON.stringify(manifest));
  writeFileSync(join(folder, 'index.js'), 'export const service = { start() {}, handleIngress() {} };\n');
  await daemon.nagaya(['load', folder, '--start']);
  await until('it to be told', async () => (await ask(daemon.socket, 'GET', '/readyz')).status === 503);
  const { reasons } = (await ask(daemon.socket, 'GET', '/readyz')).json as unknown as Health;
  assert.deepEqual(
    reasons.map(({ code, plugin }) => [code, plugin]),
    [['source_deaf', 'test.deaf']],
  );
  assert.match(reasons[0]?.message ?? '', /source chat of test\.deaf, which is faulty/);
  const text = await metrics();
  assert.equal(valueOf(text, 'nagaya_source_open{plugin="test.deaf",source="chat"}'), 0);
  assert.equal(valueOf(text, 'nagaya_source_state{plugin="test.deaf",source="chat",state="faulty"}'), 1);
  await daemon.json(['sources', 'pause', 'test.deaf', 'chat']);
  await until(
    'a paused source is meant to be',
    async () => (await ask(daemon.socket, 'GET', '/readyz')).status === 200,
  );
  await daemon.json(['unload', 'test.deaf']);
});
