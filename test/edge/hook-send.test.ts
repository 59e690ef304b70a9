// `nagaya hook send` as a person uses it.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { commandFile, startProcess } from '../labs/cli-process.ts';
import { githubSource, pluginId, secret, webhookLab } from '../labs/webhook-lab.ts';
import { untilAnswer } from '../labs/until.ts';

test('hook send signs for each scheme what the source then accepts', async (t) => {
  const key = `whsec_${Buffer.from('a secret of twenty-four bytes').toString('base64')}`;
  const schemes = ['stripe', 'slack', 'standard-webhooks', 'bearer'];
  const sources = schemes.map((scheme) => ({
    name: scheme,
    type: 'webhook',
    ingress: 'pushes',
    kind: 'push',
    verify: { scheme, secretEnv: ['KEY'] },
  }));
  const lab = await webhookLab(t, { sources: [githubSource, ...sources], env: { KEY: key } });
  await lab.url('github');
  const file = join(lab.folder, 'push.json');
  writeFileSync(file, '{"ref":"main"}');
  const sendHook = (source: string, args: readonly string[] = [], env: Record<string, string> = {}) =>
    startProcess(t, process.execPath, [commandFile, 'hook', 'send', pluginId, source, file, '--json', ...args], {
      env: { NAGAYA_SOCKET: lab.daemon.socket, GITHUB_SECRET: secret, KEY: key, ...env },
    }).ended;
  for (const scheme of schemes) {
    const { code, stdout, stderr } = await sendHook(scheme);
    assert.equal(code, 0, stderr);
    assert.equal((JSON.parse(stdout) as { status: number }).status, 202);
  }
  const ping = await sendHook('github', ['--kind', 'ping']);
  assert.deepEqual(JSON.parse(ping.stdout), { status: 202, body: { ignored: true } });
  const push = await sendHook('github', ['--kind', 'push', '--id', 'd-7']);
  assert.deepEqual(JSON.parse(push.stdout), { status: 202, body: { accepted: true, correlationId: 'd-7' } });
  await untilAnswer('the answer fits', lab.handled, (count) => count === 5);

  const wrong = await sendHook('github', [], { GITHUB_SECRET: 'another' });
  assert.equal(wrong.code, 4);
  assert.equal((JSON.parse(wrong.stdout) as { status: number }).status, 401);
  const unset = await sendHook('github', [], { GITHUB_SECRET: '' });
  assert.equal(unset.code, 2);
  assert.match(unset.stderr, /GITHUB_SECRET is not set/);
  assert.equal((await sendHook('nothing')).code, 2);
});
