// Who gets in at the port for browsers, by what, and what he may do there.
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { tokenFile } from '../../daemon/control/browser/tokens.ts';
import { operationNames, operations } from '../../protocol/operations.ts';
import { openStream, runtimePath, startBrowserLab } from '../labs/browser-lab.ts';
import { ask } from '../labs/http-client.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';
import { until } from '../labs/until.ts';

const refusal = ({ status, json, headers }: Awaited<ReturnType<typeof ask>>): unknown[] => [
  status,
  json['code'],
  headers['content-type'],
];
const problem = 'application/problem+json';
const unauthorized = [401, 'unauthorized', problem];
const forbidden = [403, 'forbidden', problem];

test('nothing but the token lets a program in', async (t) => {
  const { place, token, ask: asks } = await startBrowserLab(t);
  assert.equal((await asks('GET', '/api/runtimes')).status, 200);
  assert.deepEqual(refusal(await ask(place, 'GET', '/api/runtimes')), unauthorized);
  for (const authorization of [
    'Bearer',
    'Bearer ',
    `Bearer ${token}x`,
    `Bearer ${token.slice(0, -1)}`,
    `Basic ${token}`,
    token,
    `Bearer ${token} ${token}`,
  ]) {
    const answer = await asks('GET', '/api/runtimes', { headers: { authorization } });
    assert.deepEqual(refusal(answer), unauthorized, authorization);
    assert.match(String(answer.headers['www-authenticate']), /^Bearer/);
  }
  assert.deepEqual(
    refusal(await ask(place, 'GET', `/api/runtimes?token=${token}`)),
    unauthorized,
    'an address is kept in histories and logs',
  );
});

test('a wrong token is not made good by a cookie', async (t) => {
  const { ask: asks, signIn } = await startBrowserLab(t);
  const cookie = await signIn();
  assert.equal((await asks('GET', '/api/runtimes', { headers: { cookie } })).status, 200);
  assert.deepEqual(
    refusal(await asks('GET', '/api/runtimes', { headers: { cookie, authorization: 'Bearer wrong' } })),
    unauthorized,
  );
});

test('tokens are made once, kept for this user alone, and made again when others could have read them', async (t) => {
  const stateFolder = await temporaryFolder(t);
  const first = await startBrowserLab(t, { stateFolder });
  assert.equal(statSync(tokenFile(stateFolder)).mode & 0o777, 0o600);
  assert.ok(first.token.length >= 43 && first.token !== first.readToken);
  assert.equal((await startBrowserLab(t, { stateFolder })).token, first.token);
  chmodSync(tokenFile(stateFolder), 0o644);
  const renewed = await startBrowserLab(t, { stateFolder });
  assert.notEqual(renewed.token, first.token);
  assert.equal(statSync(tokenFile(stateFolder)).mode & 0o777, 0o600);
  assert.ok(renewed.told.some(({ message }) => /could be read by other users/.test(message)));
});

test('configured tokens are the ones that count', async (t) => {
  const token = 'configured-token-of-the-operator';
  const { ask: asks, token: own, readToken, told } = await startBrowserLab(t, { http: { token } });
  assert.equal((await asks('GET', '/api/runtimes', { headers: { authorization: `Bearer ${token}` } })).status, 200);
  assert.equal((await asks('GET', '/api/runtimes', { headers: { authorization: `Bearer ${readToken}` } })).status, 200);
  assert.deepEqual(
    refusal(await asks('GET', '/api/runtimes', { headers: { authorization: `Bearer ${own}` } })),
    unauthorized,
  );
  for (const secret of [token, own, readToken]) assert.ok(!JSON.stringify(told).includes(secret));
});

test('a link signs in once, with a cookie that scripts and other sites do not get', async (t) => {
  const { server, place } = await startBrowserLab(t);
  const { url, readOnly } = server.link(false);
  assert.equal(readOnly, false);
  assert.match(url, new RegExp(`^http://127\\.0\\.0\\.1:${String(place.port)}/open/[\\w-]{43}$`));
  const path = new URL(url).pathname;
  const opened = await ask(place, 'GET', path);
  assert.deepEqual([opened.status, opened.headers.location, opened.text], [303, '/', '']);
  const [cookie = ''] = opened.headers['set-cookie'] ?? [];
  assert.match(
    cookie,
    new RegExp(`^nagaya_session_${String(place.port)}=[\\w-]{43}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200$`),
  );
  assert.deepEqual(refusal(await ask(place, 'GET', path)), unauthorized);
  const again = await ask(place, 'GET', path, { headers: { cookie: cookie.split(';')[0] ?? '' } });
  assert.deepEqual([again.status, again.headers['set-cookie']], [303, undefined], 'who is signed in already is led on');
  assert.deepEqual(refusal(await ask(place, 'GET', '/open/x')), unauthorized);
  assert.deepEqual((await ask(place, 'HEAD', new URL(server.link(false).url).pathname)).status, 405);
  assert.equal(server.status()?.links, 1, 'a look ahead does not use a link up');
});

test('links expire, are few, and the oldest makes room', async (t) => {
  const clock = new VirtualClock();
  const { server, place } = await startBrowserLab(t, { clock, http: { limits: { links: 3, linkMs: 60_000 } } });
  const links = Array.from({ length: 4 }, () => new URL(server.link(false).url).pathname);
  assert.equal(server.status()?.links, 3);
  assert.deepEqual(refusal(await ask(place, 'GET', links[0] ?? '')), unauthorized);
  assert.equal((await ask(place, 'GET', links[1] ?? '')).status, 303);
  clock.advance(59_999);
  assert.equal((await ask(place, 'GET', links[2] ?? '')).status, 303);
  clock.advance(1);
  assert.deepEqual(refusal(await ask(place, 'GET', links[3] ?? '')), unauthorized);
  assert.equal(server.status()?.links, 0);
});

test('sessions expire, are few, and end when a person signs out', async (t) => {
  const clock = new VirtualClock();
  const {
    server,
    signIn,
    ask: asks,
  } = await startBrowserLab(t, { clock, http: { limits: { sessions: 2, sessionMs: 60_000 } } });
  const cookies = [await signIn(), await signIn(), await signIn()];
  const lets = async (cookie = ''): Promise<boolean> =>
    (await asks('GET', '/session', { headers: { cookie } })).status === 200;
  assert.deepEqual([await lets(cookies[0]), await lets(cookies[1]), await lets(cookies[2])], [false, true, true]);
  const out = await asks('DELETE', '/session', { headers: { cookie: cookies[1] ?? '' } });
  assert.match(out.headers['set-cookie']?.[0] ?? '', /=; .*Max-Age=0$/);
  assert.deepEqual([await lets(cookies[1]), await lets(cookies[2]), server.status()?.sessions], [false, true, 1]);
  clock.advance(60_000);
  assert.deepEqual([await lets(cookies[2]), server.status()?.sessions], [false, 0]);
});

test('who signs in again has one session and not two', async (t) => {
  const { server, signIn, place } = await startBrowserLab(t);
  const cookie = await signIn();
  await ask(place, 'GET', new URL(server.link(false).url).pathname, { headers: { cookie } });
  assert.equal(server.status()?.sessions, 1);
});

test('what may only read may only read, by token and by link', async (t) => {
  const lab = await startBrowserLab(t);
  const { workerId } = await lab.create();
  const cookie = await lab.signIn(true);
  const credentials: Record<string, string>[] = [{ authorization: `Bearer ${lab.readToken}` }, { cookie }];
  for (const headers of credentials) {
    for (const name of operationNames.filter(
      (each) => operations[each].audience === 'browser' && each !== 'worker.events',
    )) {
      const { method, path } = operations[name].http;
      const url = path.replace('{runtimeId}', 'backend-internal').replace('{workerId}', workerId);
      const answer = await lab.ask(method, url, { headers, ...(method === 'POST' ? { body: { intent: 'x' } } : {}) });
      if (method === 'GET') assert.equal(answer.status, 200, name);
      else assert.deepEqual(refusal(answer), forbidden, name);
    }
    assert.deepEqual((await lab.ask('GET', '/session', { headers })).json, {
      signedIn: true,
      readOnly: true,
      scope: 'browse',
    });
  }
  assert.deepEqual(
    (await lab.registry.workers({ limit: 10 })).workers.map((worker) => worker.workerId),
    [workerId],
  );
});

test('what is not for browsers is forbidden to every token', async (t) => {
  const { ask: asks } = await startBrowserLab(t);
  for (const name of operationNames.filter((each) => operations[each].audience !== 'browser')) {
    const { method, path } = operations[name].http;
    const answer = await asks(method, path.replaceAll(/\{\w+\}/g, 'x'), method === 'POST' ? { body: {} } : {});
    assert.deepEqual(refusal(answer), forbidden, name);
  }
});

test('the list of what a browser may call is closed', () => {
  const allowed = operationNames.filter((name) => operations[name].audience === 'browser').sort();
  assert.deepEqual(allowed, [
    'runtime.list',
    'runtime.show',
    'runtime.workers',
    'worker.cancel',
    'worker.create',
    'worker.events',
    'worker.input',
    'worker.list',
    'worker.show',
    'worker.stop',
    'worker.transcript',
  ]);
});

test('the page itself is public and can do nothing but what its policy says', async (t) => {
  const { place } = await startBrowserLab(t);
  for (const path of ['/', '/page.js', '/page.css', '/icon.svg']) {
    const { status, headers, text } = await ask(place, 'GET', path);
    assert.equal(status, 200, path);
    const policy = String(headers['content-security-policy']);
    for (const part of [
      "default-src 'none'",
      "script-src 'self'",
      "connect-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'none'",
    ])
      assert.ok(policy.includes(part), part);
    assert.ok(!/unsafe|\*|http:/.test(policy));
    assert.deepEqual(
      [
        headers['x-frame-options'],
        headers['x-content-type-options'],
        headers['referrer-policy'],
        headers['cache-control'],
      ],
      ['DENY', 'nosniff', 'no-referrer', 'no-store'],
    );
    assert.equal(
      text,
      readFileSync(new URL(`../../web/${path === '/' ? 'index.html' : path.slice(1)}`, import.meta.url), 'utf8'),
    );
    assert.equal((await ask(place, 'POST', path, { body: {} })).status, 405);
  }
  const answer = await ask(place, 'GET', '/api/runtimes');
  assert.ok(
    'content-security-policy' in answer.headers &&
      !Object.keys(answer.headers).some((name) => name.startsWith('access-control-')),
  );
});

test("a session's streams end with it, and those of another go on", async (t) => {
  const lab = await startBrowserLab(t);
  const { workerId } = await lab.create();
  const path = `${runtimePath}/workers/${workerId}/events`;
  const [one, other] = [await lab.signIn(), await lab.signIn()];
  const stream = await openStream(t, lab.place, path, { cookie: one });
  const neighbour = await openStream(t, lab.place, path, { cookie: other });
  await until('both have their snapshot', () => stream.events().length === 1 && neighbour.events().length === 1);
  assert.equal(lab.server.status()?.streams, 2);
  await lab.ask('DELETE', '/session', { headers: { cookie: one } });
  await stream.ended;
  await until('one is left', () => lab.server.status()?.streams === 1);
  await lab.registry.input({ runtimeId: 'backend-internal', workerId }, { kind: 'user', content: 'x' });
  await until('the other goes on', () => neighbour.events().some(({ event }) => event === 'item'));
});
