// An operator with a real browser and no terminal: sees what is wrong, reads why, corrects it, sends the dead letters
// again and watches them go. Nothing that axe calls serious is on any view, wide or narrow, dark or light.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Chromium, type Tab, withoutChromium } from '../labs/chromium.ts';
import { nagaya } from '../labs/cli-process.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';

const secret = 'planted-secret-of-the-console-77';
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const manifest = {
  schemaVersion: 1,
  id: 'test.fragile',
  name: 'Fragile',
  version: '1.0.0',
  entry: './index.js',
  env: ['FRAGILE_SECRET'],
  service: {
    ingresses: [{ name: 'orders', kinds: ['order'], description: 'what is ordered' }],
    retry: { maxAttempts: 1 },
  },
  tools: [
    {
      name: 'add',
      description: 'Adds two numbers.',
      inputSchema: {
        type: 'object',
        required: ['one', 'other'],
        properties: { one: { type: 'number' }, other: { type: 'number', description: 'the other number' } },
      },
      outputSchema: {},
    },
  ],
};
const code = (handler: string): string => `
  const secret = process.env.FRAGILE_SECRET;
  export const service = { start(ctx) { ctx.log.info('started with ' + secret); }, handleIngress(event, ctx) { ${handler} } };
  export const tools = { add: ({ one, other }) => one + other };
`;
const broken = code("throw new Error('no customer ' + event.payload.customer + ' ' + secret);");
const corrected = code("ctx.log.info('handled an order'); return null;");

async function started(t: TestContext, guardian = false) {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'plugin.json': manifest, 'index.js': broken });
  const daemon = await startTestDaemon(t, {
    plugins: [folder],
    config: { http: { port: 0 } },
    env: { FRAGILE_SECRET: secret },
    guardian,
  });
  return { folder, daemon };
}

async function consoleOf(t: TestContext, daemon: TestDaemon, browser: Chromium): Promise<Tab> {
  const told = await nagaya(t, ['console', '--json', '--socket', daemon.socket]);
  assert.equal(told.code, 0, told.stderr);
  return await browser.open((JSON.parse(told.stdout) as { url: string }).url);
}

const text = (selector: string): string => `(document.querySelector(${JSON.stringify(selector)})?.innerText ?? '')`;

async function publish(daemon: TestDaemon, count: number): Promise<void> {
  const client = await daemon.connect();
  const event = { ingress: 'orders', kind: 'order', payload: { customer: 'Ada' } };
  await client.call('ingress.publish', { plugin: 'test.fragile', events: Array.from({ length: count }, () => event) });
  await client.close();
}

async function seriousFaults(tab: Tab): Promise<unknown> {
  await tab.evaluate(`${axe}; void 0`);
  return await tab.evaluate(
    `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).slice(0, 3).join(' | ')))`,
  );
}

test(
  'an operator finds what is broken, reads why, corrects it and sends its dead letters again, without a terminal',
  { skip: withoutChromium, timeout: 120_000 },
  async (t) => {
    const { folder, daemon } = await started(t);
    await publish(daemon, 3);
    const browser = await Chromium.start(t);
    const tab = await consoleOf(t, daemon, browser);
    await tab.until('failures come first', `${text('.failures')}.includes('test.fragile has 3 dead letters')`);
    assert.equal(await tab.evaluate('location.pathname'), '/console');
    await tab.click('.failures a');
    await tab.until('it is said why', `${text('#last-error')}.includes('no customer Ada')`);
    await tab.until('the letters are listed', `document.querySelectorAll('#dead-letters tbody tr').length === 3`);
    assert.equal(await tab.evaluate(`document.body.innerText.includes('"customer"')`), false, 'no payload unasked');
    await tab.click('#dead-letters tbody button');
    await tab.until('the payload is shown on request', `document.querySelector('#payload')?.value.includes('"Ada"')`);
    await tab.until('what happened is told', `${text('.timeline')}.includes('no customer Ada')`);
    await tab.until('its log is there', `${text('#log')}.includes('started with')`);

    await tab.click('#tools-title + details summary');
    await tab.click('[data-tool=add] [name=one]');
    await tab.type('40');
    await tab.click('[data-tool=add] [name=other]');
    await tab.type('2');
    await tab.press('Enter');
    await tab.until('the tool has answered', `${text('[data-tool=add] pre')} === '42'`);

    await writeFile(join(folder, 'index.js'), corrected);
    await tab.click('#act-reload');
    await tab.until('the page asks first', `document.querySelector('dialog')?.open === true`);
    await tab.click('#confirm-yes');
    await tab.until('it is reloaded', `${text('#said')} === 'Reload: done.'`);
    await tab.click('#replay-all');
    await tab.until('the letters are gone', `${text('#dead-letters')}.includes('There are none.')`);

    const page = String(await tab.evaluate('document.documentElement.outerHTML'));
    assert.ok(!page.includes(secret) && !page.includes(folder), 'no secret and no place of the machine');
    assert.deepEqual(tab.complaints(), [], 'nothing threw, and the policy refused nothing the page needs');

    await tab.evaluate(`void (location.hash = '#/daemon')`);
    await tab.until(
      'what was done is written down',
      `['deadLetter.replay', 'plugin.reload', 'tool.call'].every((name) => ${text('#audit')}.includes(name))`,
    );
  },
);

test(
  'axe finds nothing serious on any view, at 375 and 1600 pixels, dark and light',
  { skip: withoutChromium, timeout: 120_000 },
  async (t) => {
    const { daemon } = await started(t);
    await publish(daemon, 60);
    const browser = await Chromium.start(t);
    const tab = await consoleOf(t, daemon, browser);
    await tab.until('it is connected', `document.querySelector('#connection')?.dataset.connection === 'connected'`);
    for (const [width, scheme] of [
      [375, 'dark'],
      [1600, 'light'],
    ] as const) {
      await tab.send('Emulation.setDeviceMetricsOverride', { width, height: 900, deviceScaleFactor: 1, mobile: false });
      await tab.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
      for (const [place, shown] of [
        ['', `document.querySelector('#plugins tbody tr') !== null`],
        ['plugin/test.fragile', `document.querySelector('#dead-letters tbody tr') !== null`],
        ['daemon', `document.querySelector('#audit') !== null`],
      ] as const) {
        await tab.evaluate(`void (location.hash = '#/${place}')`);
        await tab.until(`${place} is shown`, shown);
        assert.deepEqual(await seriousFaults(tab), [], `${place} at ${String(width)}, ${scheme}`);
        const overflow = await tab.evaluate('document.documentElement.scrollWidth <= window.innerWidth');
        assert.equal(overflow, true, `${place} fits ${String(width)} pixels`);
      }
    }
  },
);

test(
  'a page with an ordinary link is shown no plugin, and a page that operates goes on when the daemon comes back',
  { skip: withoutChromium, timeout: 120_000 },
  async (t) => {
    const { daemon } = await started(t, true);
    const browser = await Chromium.start(t);
    const opened = await nagaya(t, ['open', '--json', '--socket', daemon.socket]);
    const ordinary = await browser.open((JSON.parse(opened.stdout) as { url: string }).url);
    await ordinary.until('the runtimes are listed', `${text('#runtimes')}.includes('backend-internal')`);
    assert.equal(await ordinary.evaluate(`fetch('/api/services').then(({ status }) => status)`), 403);
    assert.equal(await ordinary.evaluate(`fetch('/metrics').then(({ status }) => status)`), 401);

    const tab = await consoleOf(t, daemon, browser);
    await tab.until('it is connected', `${text('#connection')} === 'Connected'`);
    const client = await daemon.connect();
    const { pid } = await client.call('daemon.status', {});
    process.kill(pid, 'SIGSTOP');
    process.kill(pid, 'SIGKILL');
    await tab.until('the page is connected to the next daemon', `${text('#connection')} === 'Connected again'`);
    await tab.until('and shows what runs there', `${text('#plugins')}.includes('running')`);
  },
);
