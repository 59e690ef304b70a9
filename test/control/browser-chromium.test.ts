// A person with a real browser: signs in by the link that `nagaya open` prints, sees the runtimes, creates a worker,
// gives it an input and watches the answer come.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chromium, withoutChromium } from '../labs/chromium.ts';
import { nagaya } from '../labs/cli-process.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';

/** Speaks in pieces, and between them waits to be let on: what is seen before the end was streamed. */
const slowSpeaker = {
  'plugin.json': {
    schemaVersion: 1,
    id: 'slow.speaker',
    name: 'Slow speaker',
    version: '1.0.0',
    entry: './index.js',
    service: { ingresses: [{ name: 'in', kinds: ['text'] }] },
    profiles: [{ name: 'tell', description: 'tells slowly' }],
  },
  'index.js': `export const service = { start() {}, handleIngress() {} };
  export const profiles = {
    tell: {
      async onInput({ content }, ctx) {
        ctx.say('<b>You said</b> ');
        for (let step = 0; step < 600 && content.startsWith('wait') && !ctx.signal.aborted; step += 1) await new Promise((resolve) => setTimeout(resolve, 50));
        ctx.say(content + '.');
      },
    },
  };`,
};

const said = (role: string): string =>
  `[...document.querySelectorAll('#transcript li[data-role=${role}] .content')].map((item) => item.textContent)`;
const state = `document.querySelector('#worker-state').textContent`;

test(
  'a person lists runtimes, creates a worker, sends an input and watches the answer arrive',
  { skip: withoutChromium, timeout: 120_000 },
  async (t) => {
    const folder = await temporaryFolder(t);
    await writeTree(folder, slowSpeaker);
    const daemon = await startTestDaemon(t, { plugins: [folder], config: { http: { port: 0 } } });
    const opened = await nagaya(t, ['open', '--json', '--socket', daemon.socket]);
    assert.equal(opened.code, 0, opened.stderr);
    const { url } = JSON.parse(opened.stdout) as { url: string };

    const browser = await Chromium.start(t);
    const tab = await browser.open(url);
    await tab.until(
      'the runtimes are listed',
      `['backend-internal', 'local'].every((id) => document.querySelector('#runtimes').textContent.includes(id))`,
    );
    assert.equal(await tab.evaluate('location.pathname'), '/', 'the link is not left in the address');
    assert.equal(await tab.evaluate('document.cookie'), '', 'scripts do not see the session');

    await tab.until(
      'profiles are offered',
      `[...document.querySelector('#create').elements.profile.options].some(({ value }) => value === 'slow.speaker:tell')`,
    );
    await tab.click('#create [name=intent]');
    await tab.type('<i>to try</i> it out');
    await tab.evaluate(`void (document.querySelector('#create').elements.profile.value = 'slow.speaker:tell')`);
    await tab.press('Enter');
    await tab.until(
      'the worker is shown',
      `!document.querySelector('#worker').hidden && ${state} === 'idle' && document.activeElement.id === 'content'`,
    );
    assert.equal(
      await tab.evaluate(`document.querySelector('#worker-note').textContent`),
      '<i>to try</i> it out',
      'what was typed is text',
    );

    await tab.type('hello');
    await tab.press('Enter');
    await tab.until(
      'the answer is there',
      `${said('worker')}.join() === '<b>You said</b> hello.' && ${state} === 'idle'`,
    );
    assert.deepEqual(await tab.evaluate(said('user')), ['hello']);
    assert.equal(
      await tab.evaluate(`document.querySelectorAll('#transcript b, #worker i').length`),
      0,
      'nothing said becomes markup',
    );

    await tab.type('wait for me');
    await tab.press('Enter');
    await tab.until(
      'the beginning of the answer is there before its end',
      `${said('worker')}[1] === '<b>You said</b> ' && ${state} === 'busy'`,
    );
    await tab.click('#cancel');
    await tab.until('the input was cancelled', `${said('host')}.length === 1 && ${state} === 'cancelled'`);

    await tab.click('#stop');
    await tab.click('#stop-no');
    await tab.click('#stop');
    await tab.until('the page asks first', `document.querySelector('#stop-dialog').open`);
    assert.match(
      String(await tab.evaluate(`document.querySelector('#stop-question').textContent`)),
      /^Stop slow\.speaker:tell \w{8}\? What runs is ended\. It takes no more inputs after that\.$/,
    );
    assert.equal(await tab.evaluate(state), 'cancelled', 'neither the question nor its refusal stops anything');
    await tab.click('#stop-yes');
    await tab.until('the worker is stopped', `${state} === 'stopped'`);
    assert.equal(
      await tab.evaluate(`document.querySelector('#input').hidden`),
      true,
      'a stopped worker is offered no input',
    );
    await tab.click('#runtimes li[data-id=local] button');
    await tab.until(
      'a service is listed as a worker',
      `document.querySelector('#workers').innerText.includes('Slow speaker')`,
    );
    await tab.click('#workers button');
    await tab.until(
      'it is shown without a transcript',
      `document.querySelector('#transcript').hidden && ${state} === 'idle'`,
    );
    await tab.until('it is offered inputs, because its service takes text', `!document.querySelector('#input').hidden`);
    await tab.click('#stop');
    assert.match(String(await tab.evaluate(`document.querySelector('#stop-question').textContent`)), /nagaya start/);
    await tab.click('#stop-yes');
    await tab.until('the service is stopped', `${state} === 'stopped'`);
    assert.deepEqual(tab.complaints(), [], 'nothing threw, and the policy refused nothing the page needs');

    const again = await browser.open(url);
    await again.until(
      'the link leads on who is signed in already',
      `document.querySelector('#runtimes').textContent.includes('backend-internal')`,
    );
    await again.click('#sign-out');
    await again.until(
      'nothing is shown to who signed out',
      `document.querySelector('#house').hidden && document.querySelector('#access').textContent.includes('nagaya open')`,
    );
  },
);

/** Says a long answer in lines, and waits for nobody. */
const talker = {
  'plugin.json': {
    schemaVersion: 1,
    id: 'fast.talker',
    name: 'Fast talker',
    version: '1.0.0',
    entry: './index.js',
    service: { ingresses: [{ name: 'in', kinds: ['push'] }] },
    profiles: [{ name: 'talk', description: 'talks much' }],
  },
  'index.js': `export const service = { start() {}, handleIngress() {} };
  export const profiles = {
    talk: {
      async onInput({ content }, ctx) {
        const [first, last] = content.split('-').map(Number);
        for (let line = first; line <= last; line += 1) {
          ctx.say('line ' + line + '\\n');
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      },
    },
  };`,
};

const list = `document.querySelector('#transcript')`;
const fromEnd = `(${list}.scrollHeight - ${list}.scrollTop - ${list}.clientHeight)`;

test(
  "the transcript follows a growing answer unless the reader has scrolled away, and shows one's own input again",
  { skip: withoutChromium, timeout: 120_000 },
  async (t) => {
    const folder = await temporaryFolder(t);
    await writeTree(folder, talker);
    const daemon = await startTestDaemon(t, { plugins: [folder], config: { http: { port: 0 } } });
    const client = await daemon.connect();
    const { workerId } = await client.call('worker.create', {
      runtimeId: 'backend-internal',
      intent: 'talk',
      profile: 'fast.talker:talk',
    });
    const { url } = await client.call('browser.link', {});
    const tab = await (await Chromium.start(t)).open(url);
    await tab.until(
      'the worker is counted as one',
      `document.querySelector('#runtimes').innerText.includes('1 worker, 0 busy')`,
    );
    await tab.click(`#workers li[data-id="${workerId}"] button`);
    await tab.until('it can be given an input', `!document.querySelector('#input').hidden`);

    const give = async (text: string): Promise<void> => {
      await tab.click('#content');
      await tab.type(text);
      await tab.press('Enter');
    };
    await give('1-200');
    await tab.until(
      'the end of the long answer is in view',
      `${said('worker')}[0]?.endsWith('line 200\\n') && ${fromEnd} < 5`,
    );
    assert.ok(Number(await tab.evaluate(`${list}.scrollTop`)) > 1000, 'it is far longer than the page');

    await give('201-400');
    await tab.until('the second answer grows', `${said('worker')}[1]?.includes('line 210\\n')`);
    await tab.evaluate(`void (${list}.scrollTop = 100)`);
    await tab.until(
      'the second answer is whole',
      `${said('worker')}[1]?.endsWith('line 400\\n') && ${state} === 'idle'`,
    );
    assert.equal(await tab.evaluate(`${list}.scrollTop`), 100, 'who reads further up is left there');

    await give('401-402');
    await tab.until(
      "one's own input is in view, and what is answered to it",
      `${said('worker')}[2] === 'line 401\\nline 402\\n' && ${fromEnd} < 5`,
    );

    await tab.click('#runtimes li[data-id=local] button');
    await tab.until('the service is listed', `document.querySelector('#workers').innerText.includes('Fast talker')`);
    await tab.click('#workers button');
    await tab.until(
      'the service is shown',
      `document.querySelector('#worker-title').textContent === 'Fast talker' && ${state} === 'idle'`,
    );
    const looked = await tab.evaluate(
      `fetch('/api/runtimes/local/workers/fast.talker').then((answer) => answer.json()).then(({ inputs }) => inputs.kinds)`,
    );
    assert.deepEqual(looked, []);
    assert.equal(
      await tab.evaluate(`document.querySelector('#input').hidden`),
      true,
      'a service that takes no inputs is offered none',
    );
    assert.deepEqual(tab.complaints(), []);
  },
);

test('a double click on “Cancel input” cancels one input', { skip: withoutChromium, timeout: 120_000 }, async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, slowSpeaker);
  const daemon = await startTestDaemon(t, { plugins: [folder], config: { http: { port: 0 } } });
  const client = await daemon.connect();
  const { workerId } = await client.call('worker.create', {
    runtimeId: 'backend-internal',
    intent: 'be cancelled',
    profile: 'slow.speaker:tell',
  });
  const { url } = await client.call('browser.link', {});
  const tab = await (await Chromium.start(t)).open(url);
  await tab.until('the worker is listed', `document.querySelector('#workers li[data-id="${workerId}"]') !== null`);
  await tab.click(`#workers li[data-id="${workerId}"] button`);
  for (const content of ['wait one', 'wait two'])
    await client.call('worker.input', { runtimeId: 'backend-internal', workerId, content });
  await tab.until(
    'the first input runs and the second waits',
    `${said('user')}.length === 2 && ${said('worker')}.length === 1`,
  );
  await tab.click('#cancel', 2);
  await tab.until('the second input runs', `${said('host')}.length === 1 && ${said('worker')}.length === 2`);
  const { inputs, state: workerState } = await client.call('worker.show', { runtimeId: 'backend-internal', workerId });
  assert.deepEqual([workerState, inputs.pending], ['busy', 0]);
  await tab.click('#cancel');
  await tab.until(
    'a click that is meant for it cancels it',
    `${said('host')}.length === 2 && ${state} === 'cancelled'`,
  );
});

test(
  'a page of another site can neither read nor write, even from the same machine',
  { skip: withoutChromium, timeout: 120_000 },
  async (t) => {
    const daemon = await startTestDaemon(t, { config: { http: { port: 0 } } });
    const other = await startTestDaemon(t, { config: { http: { port: 0 } } });
    const link = async (socket: string): Promise<string> =>
      (JSON.parse((await nagaya(t, ['open', '--json', '--socket', socket])).stdout) as { url: string }).url;
    const url = await link(daemon.socket);
    const browser = await Chromium.start(t);
    const home = await browser.open(url);
    await home.until('signed in', `document.querySelector('#runtimes').textContent.includes('backend-internal')`);

    // The other daemon's page lies on the same host, so that the cookie goes along; only its port is another.
    const foreign = await browser.open(new URL('/icon.svg', await link(other.socket)).href);
    await foreign.until('the foreign page is there', `location.pathname === '/icon.svg'`);
    const before = await (await daemon.connect()).call('worker.list', { limit: 10 });
    const attempt = (path: string, init: string): Promise<unknown> =>
      foreign.evaluate(
        `fetch(${JSON.stringify(new URL(path, url).href)}, ${init}).then((answer) => 'answered ' + answer.type, (error) => 'refused')`,
      );
    // Without it the foreign page's own policy would keep it from asking at all.
    await foreign.send('Page.setBypassCSP', { enabled: true });
    await foreign.send('Network.enable');
    await foreign.send('Page.reload');
    await foreign.until('the foreign page is there again', `location.pathname === '/icon.svg'`);
    assert.equal(await attempt('/api/runtimes', `{ credentials: 'include' }`), 'refused');
    assert.equal(
      await attempt(
        '/api/runtimes/backend-internal/workers',
        `{ method: 'POST', credentials: 'include', headers: { 'content-type': 'application/json' }, body: '{"intent":"x"}' }`,
      ),
      'refused',
    );
    await attempt(
      '/api/runtimes/backend-internal/workers',
      `{ method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"intent":"x"}' }`,
    );
    assert.deepEqual((await (await daemon.connect()).call('worker.list', { limit: 10 })).workers, before.workers);
    const statuses = browser
      .told(foreign.sessionId, 'Network.responseReceivedExtraInfo')
      .map(({ statusCode }) => statusCode);
    assert.ok(
      statuses.filter((status) => status === 403).length >= 3,
      `each was asked and forbidden: ${statuses.join()}`,
    );
  },
);
