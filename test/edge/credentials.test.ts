// Where the credentials of sources come from, and that they go nowhere else.
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../labs/cli-process.ts';
import { githubHeaders, githubSource, pluginId, secret, send, webhookLab } from '../labs/webhook-lab.ts';
import { untilAnswer } from '../labs/until.ts';

const body = '{"ref":"main"}';
const configPath = (folder: string): string => join(folder, 'nagaya.json');

function withFile(file: string): object {
  return {
    webhooks: { port: 0 },
    plugins: {
      overrides: { [pluginId]: { sources: { github: { verify: { scheme: 'github', secretEnv: [{ file }] } } } } },
    },
  };
}

test('a file of the operator gives the secret, and is read again by config.reload', async (t) => {
  const file = join(temporaryFolder(t), 'secret');
  writeFileSync(file, 'the-first-secret\n', { mode: 0o600 });
  const lab = await webhookLab(t, { sources: [githubSource], config: withFile(file) });
  const url = await lab.url('github');
  assert.equal((await send(url, body, githubHeaders(body, {}, 'the-first-secret'))).status, 202);
  assert.equal((await send(url, body, githubHeaders(body))).status, 401);

  writeFileSync(file, 'the-second-secret\n');
  const { sources, applied, pending } = await lab.client.call('config.reload', {});
  assert.deepEqual({ sources, applied, pending }, { sources: 1, applied: [], pending: [] });
  assert.equal((await send(url, body, githubHeaders(body, {}, 'the-second-secret'))).status, 202);
  assert.equal((await send(url, body, githubHeaders(body, {}, 'the-first-secret'))).status, 401);

  chmodSync(file, 0o644);
  await lab.client.call('config.reload', {});
  const open = await untilAnswer(
    'the answer fits',
    () => lab.source('github'),
    ({ state }) => state === 'faulty',
  );
  assert.match(open.lastError?.message ?? '', /chmod 600/);
  assert.ok(!open.lastError?.message.includes(file));
  assert.equal((await send(url, body, githubHeaders(body, {}, 'the-second-secret'))).status, 503);

  chmodSync(file, 0o600);
  await lab.client.call('config.reload', {});
  await untilAnswer(
    'the answer fits',
    () => lab.source('github'),
    ({ state }) => state === 'open',
  );
});

test('a manifest may not name a file', async (t) => {
  const named = { ...githubSource, verify: { scheme: 'github', secretEnv: [{ file: '/etc/passwd' }] } };
  const lab = await webhookLab(t, { sources: [named] });
  const { plugins, invalid } = await lab.client.call('plugin.list', {});
  assert.equal(plugins.length, 0);
  assert.match(JSON.stringify(invalid), /service\.sources\[0\]\.verify\.secretEnv/);
});

test('config.reload applies what it can, names what it cannot, and refuses a file that is not valid', async (t) => {
  const lab = await webhookLab(t, { sources: [githubSource] });
  const path = configPath(lab.daemon.folder);
  const present = JSON.parse(readFileSync(path, 'utf8')) as object;
  const next = {
    ...present,
    log: { level: 'debug' },
    limits: { connections: 77 },
    plugins: { overrides: { [pluginId]: { queue: { capacity: 9 } }, 'not.loaded': { autostart: false } } },
  };
  writeFileSync(path, JSON.stringify(next));
  const answer = await lab.client.call('config.reload', {});
  assert.equal(answer.config, path);
  assert.deepEqual(answer.applied.toSorted(), ['log.level', 'plugins.overrides.not.loaded']);
  assert.deepEqual(
    answer.pending.toSorted((one, other) => one.path.localeCompare(other.path)),
    [
      { path: 'limits.connections', remedy: 'restart the daemon' },
      { path: `plugins.overrides.${pluginId}`, remedy: `nagaya reload ${pluginId}` },
    ],
  );
  await lab.client.call('plugin.reload', { plugin: pluginId });
  assert.equal((await lab.client.call('service.status', { plugin: pluginId })).queue.capacity, 9);

  writeFileSync(path, '{"limits":{"connections":0}}');
  await assert.rejects(lab.client.call('config.reload', {}), { code: 'config_invalid' });
  assert.equal((await lab.client.call('daemon.ping', {})).pong, true);
});

/** Every file below, as bytes. */
function filesBelow(folder: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) found.set(join(entry.parentPath, entry.name), readFileSync(join(entry.parentPath, entry.name)));
  return found;
}

test('planted secrets are found nowhere: no file, log, status, bundle or answer has them', async (t) => {
  const file = join(temporaryFolder(t), 'secret');
  const planted = [secret, 'planted-old-2c41', 'planted-file-77ab', 'planted-bearer-90fe'];
  writeFileSync(file, 'planted-file-77ab', { mode: 0o600 });
  const bearer = { ...githubSource, name: 'bearer', verify: { scheme: 'bearer', secretEnv: ['BEARER_SECRET'] } };
  const filed = { ...githubSource, name: 'filed' };
  const lab = await webhookLab(t, {
    sources: [githubSource, bearer, filed],
    service: { restart: { intensity: 0 }, retry: { maxAttempts: 1 } },
    config: {
      webhooks: { port: 0 },
      log: { level: 'trace' },
      bundles: { payloads: true },
      plugins: {
        overrides: {
          [pluginId]: {
            sources: { filed: { verify: { scheme: 'github', secretEnv: [{ file }] }, headers: ['authorization'] } },
          },
        },
      },
    },
    env: { GITHUB_SECRET_OLD: 'planted-old-2c41', BEARER_SECRET: 'planted-bearer-90fe' },
    code: `
export const service = {
  start(ctx) { ctx.log.info('environment', { env: { ...process.env } }); },
  handleIngress(event, ctx) {
    ctx.log.info('event', { event, env: { ...process.env } });
    if (event.payload.body.exit) process.exit(1);
    return event;
  },
  status: () => ({ env: process.env }),
};`,
  });
  const said: string[] = [];
  const told = (value: unknown): void => void said.push(JSON.stringify(value));
  for (const name of ['github', 'bearer', 'filed']) {
    const url = await lab.url(name);
    for (const key of planted) {
      const headers = githubHeaders(body, { authorization: `Bearer ${key}`, cookie: key }, key);
      told(await send(url, body, headers));
      told(await send(url, `{"exit":true,"n":"${name}"}`, headers));
    }
  }
  told(await send(await lab.url('github'), '{"exit":true}', githubHeaders('{"exit":true}')));
  await untilAnswer(
    'the answer fits',
    () => lab.client.call('service.status', { plugin: pluginId }),
    ({ lifecycle }) => lifecycle === 'failed',
  );
  await lab.client.call('config.reload', {});
  told(await lab.client.call('source.list', {}));
  told(await lab.client.call('service.status', { plugin: pluginId, wait: true }));
  told(await lab.client.call('plugin.show', { plugin: pluginId }));
  told(await lab.client.call('plugin.list', {}));
  told(await lab.client.call('timeline.read', { plugin: pluginId }));
  told(await lab.client.call('event.explain', { plugin: pluginId }));
  told(await lab.client.call('log.read', { plugin: pluginId }));
  told(await lab.client.call('log.read', {}));
  told(await lab.client.call('daemon.status', {}));
  told(await lab.client.call('deadLetter.list', { plugin: pluginId }));
  lab.daemon.signal('SIGTERM');
  await lab.daemon.ended;
  said.push(lab.daemon.log());
  for (const one of planted) {
    for (const text of said) assert.ok(!text.includes(one), `${one} is in ${text.slice(0, 300)}`);
    for (const [path, bytes] of filesBelow(lab.daemon.folder)) assert.ok(!bytes.includes(one), `${one} is in ${path}`);
  }
});
