// The operator's page where there is much: two hundred services, ten thousand dead letters; sources and outputs; and
// all of it without a mouse. What the page asks every two seconds costs the daemon little.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { OperationResult } from '../../protocol/operations.ts';
import { Chromium, type Tab, withoutChromium } from '../labs/chromium.ts';
import { nagaya } from '../labs/cli-process.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';

const services = 200;
const letters = 10_000;
const inBatch = 1000;

const manifestOf = (id: string, service: object): object => ({
  schemaVersion: 1,
  id,
  name: id,
  version: '1.0.0',
  entry: './index.js',
  service: { ingresses: [{ name: 'in', kinds: ['x'] }], ...service },
});
const quiet = 'export const service = { start() {}, handleIngress: () => null };';

async function consoleOf(t: TestContext, daemon: TestDaemon, browser: Chromium): Promise<Tab> {
  const told = await nagaya(t, ['console', '--json', '--socket', daemon.socket]);
  assert.equal(told.code, 0, told.stderr);
  return await browser.open((JSON.parse(told.stdout) as { url: string }).url);
}

const text = (selector: string): string => `(document.querySelector(${JSON.stringify(selector)})?.innerText ?? '')`;

test(
  'two hundred services and ten thousand dead letters are shown in pages, and looking at them costs little',
  { skip: withoutChromium, timeout: 180_000 },
  async (t) => {
    const folder = await temporaryFolder(t);
    const tree: Record<string, string | object> = {};
    for (let at = 0; at < services; at += 1) {
      tree[`p${String(at)}/plugin.json`] = manifestOf(`many.p${String(at).padStart(3, '0')}`, {});
      tree[`p${String(at)}/index.js`] = quiet;
    }
    tree['full/plugin.json'] = manifestOf('test.full', {
      retry: { maxAttempts: 1 },
      queue: { capacity: letters, durability: 'memory' },
    });
    tree['full/index.js'] = "export const service = { start() {}, handleIngress() { throw new Error('never'); } };";
    await writeTree(folder, tree);
    const config = { http: { port: 0 }, limits: { deadLetters: letters }, plugins: { autostart: false } };
    const daemon = await startTestDaemon(t, { plugins: [folder], config });
    const client = await daemon.connect();
    await client.call('service.start', { plugin: 'test.full' });
    const events = Array.from({ length: inBatch }, () => ({ ingress: 'in', kind: 'x', payload: { private: 'yes' } }));
    for (let sent = 0; sent < letters; sent += inBatch)
      await client.call('ingress.publish', { plugin: 'test.full', events });
    const browser = await Chromium.start(t);
    const tab = await consoleOf(t, daemon, browser);
    await tab.until('pages of plugins', `${text('.pager')}.includes('page 1 of 5')`);
    assert.equal(await tab.evaluate(`document.querySelectorAll('#plugins tbody tr').length`), 50);
    await tab.until('all letters', `${text('.failures')}.includes('10,000 dead letters')`);

    // Without a mouse: to a plugin by the filter and the keys.
    await tab.evaluate(`document.querySelector('#filter').focus()`);
    await tab.type('test.full');
    await tab.until('it is found', `document.querySelectorAll('#plugins tbody tr').length === 1`);
    await tab.evaluate(`document.querySelector('#plugins').parentElement.focus()`);
    const isAt = (what: string): Promise<unknown> =>
      tab.evaluate(`document.activeElement.innerText === ${JSON.stringify(what)}`);
    for (let steps = 0; steps < 20 && (await isAt('test.full')) !== true; steps += 1) await tab.press('Tab');
    await tab.press('Enter');
    await tab.until('its page has the focus', `document.activeElement.id === 'title'`);
    await tab.until('pages of letters', `${text('#dead-letters')}.includes('page 1 of 200')`);
    assert.equal(await tab.evaluate(`document.querySelectorAll('#dead-letters tbody tr').length`), 50);
    assert.equal(await tab.evaluate(`document.body.innerText.includes('private')`), false, 'no payload unasked');
    await tab.evaluate(`document.querySelector('#dead-letters .pager button:last-child').focus()`);
    await tab.press('Enter');
    await tab.until('the next page', `${text('#dead-letters')}.includes('page 2 of 200')`);

    const cpuSeconds = async (): Promise<number> =>
      (await client.call('usage.list', { plugin: 'test.full' })).daemon.cpuSeconds;
    const looks = 10;
    const before = await cpuSeconds();
    const asked = `(async () => { for (let at = 0; at < ${String(looks)}; at += 1) await Promise.all(['/api/usage', '/api/health'].map((path) => fetch(path).then((answer) => answer.json()))); })()`;
    await tab.evaluate(asked);
    const share = ((await cpuSeconds()) - before) / looks / 2;
    assert.ok(share < 0.05, `the looks of one page cost ${(share * 100).toFixed(1)} % of a processor`);
    assert.deepEqual(tab.complaints(), []);
    await client.close();
  },
);

async function receiver(t: TestContext): Promise<{ url: string; open(): void; received: string[] }> {
  let isOpen = false;
  const received: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      if (isOpen) received.push(body);
      response.writeHead(isOpen ? 200 : 400).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${String(port)}/orders`, open: () => (isOpen = true), received };
}

test(
  'an operator pauses a source, lets a schedule be due, and sends again what an output could not deliver',
  { skip: withoutChromium, timeout: 120_000 },
  async (t) => {
    const folder = await temporaryFolder(t);
    const target = await receiver(t);
    const schedule = { name: 'yearly', type: 'schedule', cron: '0 0 1 1 *', ingress: 'in', kind: 'x', missed: 'skip' };
    await writeTree(folder, {
      'plugin.json': manifestOf('test.flows', {
        sources: [schedule],
        outputs: [{ name: 'orders', type: 'http', url: target.url }],
      }),
      'index.js':
        "export const service = { start() {}, handleIngress(event, ctx) { ctx.send('orders', { order: 7 }); } };",
    });
    const daemon = await startTestDaemon(t, { plugins: [folder], config: { http: { port: 0 } } });
    const browser = await Chromium.start(t);
    const tab = await consoleOf(t, daemon, browser);
    await tab.evaluate(`void (location.hash = '#/plugin/test.flows')`);
    const source = '[data-source=yearly]';
    await tab.until('the source is shown', `${text(source)}.includes('next due')`);
    await tab.click(`${source} [data-action=pause]`);
    await tab.until('it is paused', `${text(source)}.includes('paused')`);
    await tab.click(`${source} [data-action=resume]`);
    await tab.until('it is open', `${text(source)}.includes('events can arrive')`);
    await tab.click(`${source} [data-action=trigger]`);
    const output = '[data-output=orders]';
    await tab.until('its command was refused', `${text(output)}.includes('1 dead letter')`);
    await tab.until('it is said in short', `${text('#explanation')}.includes('could not be delivered')`);
    assert.equal(await tab.evaluate(`document.body.innerText.includes('"order"')`), false, 'no body unasked');
    await tab.click(`${output} [data-action=open]`);
    await tab.until('the body is shown on request', `${text(output)}.includes('"order": 7')`);
    target.open();
    await tab.click(`${output} [data-action=retry]`);
    await tab.until(
      'it is delivered',
      `${text(output)}.includes('1 delivered') && ${text(output)}.includes('0 dead letters')`,
    );
    assert.deepEqual(target.received, ['{"order":7}']);
    const client = await daemon.connect();
    const { entries }: OperationResult<'audit.list'> = await client.call('audit.list', { limit: 10 });
    assert.deepEqual(
      entries
        .map(({ operation, source: of, output: to }) => [operation, of ?? to])
        .reverse()
        .slice(-4),
      [
        ['source.pause', 'yearly'],
        ['source.resume', 'yearly'],
        ['source.trigger', 'yearly'],
        ['output.retry', 'orders'],
      ],
    );
    assert.deepEqual(tab.complaints(), []);
    await client.close();
  },
);
