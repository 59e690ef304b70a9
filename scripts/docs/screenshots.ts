// Takes the pictures of the operator's page that the README shows: starts a daemon with the examples and a plugin that
// fails, lets something happen, and photographs the page in a real Chromium. `npm run docs:screenshots` runs it.
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { connect } from '../../protocol/client/client.ts';
import { Chromium } from '../../test/labs/chromium.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const command = join(root, 'dist/daemon/cli/nagaya.js');
const target = join(root, 'docs/images');
const width = 1280;
const height = 860;

const fragile = {
  schemaVersion: 1,
  id: 'shop.orders',
  name: 'Orders',
  version: '2.1.0',
  entry: './index.js',
  service: { ingresses: [{ name: 'orders', kinds: ['order'] }], retry: { maxAttempts: 1 } },
};
const code = `export const service = {
  start() {},
  handleIngress(event) {
    for (let at = 0; at < 2e6; at += 1) Math.sqrt(at);
    if (event.payload.customer === undefined) throw new Error('the order has no customer');
  },
};`;

const endings: (() => unknown)[] = [];

async function photograph(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'nagaya-pictures-'));
  endings.push(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, 'orders'));
  await mkdir(target, { recursive: true });
  await writeFile(join(folder, 'orders/plugin.json'), JSON.stringify(fragile));
  await writeFile(join(folder, 'orders/index.js'), code);
  await writeFile(join(folder, 'nagaya.json'), JSON.stringify({ http: { port: 0 } }));
  const socket = join(folder, 's');
  const options = ['--socket', socket, '--state', join(folder, 'state'), '--config', join(folder, 'nagaya.json')];
  const daemon = spawn(
    process.execPath,
    [command, 'serve', ...options, '--json', '--plugins', join(root, 'examples'), join(folder, 'orders')],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const ended = new Promise((resolve) => daemon.once('exit', resolve));
  endings.push(() => (daemon.kill('SIGTERM'), ended));
  await new Promise((resolve) => daemon.stdout.once('data', resolve));
  const client = await connect({ socket, callMs: 10_000 });
  endings.push(() => client.close());
  const order = (at: number): object => ({
    ingress: 'orders',
    kind: 'order',
    payload: at % 40 === 7 ? { items: 3 } : { customer: 'Ada', items: 3 },
  });
  let sent = 0;
  const work = setInterval(() => {
    const events = Array.from({ length: 10 + Math.round(8 * Math.sin(sent / 50)) }, () => order((sent += 1)));
    void client.call('ingress.publish', { plugin: 'shop.orders', events }).catch(() => undefined);
  }, 250);
  endings.push(() => clearInterval(work));
  const browser = await Chromium.start({ after: (run: () => unknown) => void endings.push(run) } as never);
  const { url } = await client.call('browser.link', { scope: 'operate' });
  const tab = await browser.open(url);
  await tab.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
  await tab.until('it is connected', `document.querySelector('#connection')?.dataset.connection === 'connected'`);
  const picture = async (name: string, place: string, shown: string): Promise<void> => {
    await tab.evaluate(`void (location.hash = '#/${place}')`);
    await tab.until(`${name} is shown`, shown);
    // Charts need some looks.
    await new Promise((resolve) => setTimeout(resolve, 24_000));
    const { data } = await tab.send('Page.captureScreenshot', { format: 'png' });
    await writeFile(join(target, `${name}.png`), Buffer.from(String(data), 'base64'));
  };
  await picture('console-plugins', '', `document.querySelector('#plugins tbody tr') !== null`);
  await picture('console-plugin', 'plugin/shop.orders', `document.querySelector('#explanation li') !== null`);
}

try {
  await photograph();
} finally {
  for (const end of endings.reverse()) await end();
}
