// The tutorial's second half, followed word for word: in a copy of the samples in which each port is a free one, so
// that it can run beside others.
import assert from 'node:assert/strict';
import { cp, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { needsBroker } from '../labs/broker-lab.ts';
import { commandFile, examplesFolder, repository, startProcess, temporaryFolder } from '../labs/cli-process.ts';
import { until } from '../labs/until.ts';

const page = await readFile(join(repository, 'docs/tutorial-events.md'), 'utf8');
const ports = ['8480', '8090', '8091', '8092', '1883'];
const samples = ['github-pushes', 'chat-bot', 'morning-report', 'watched-folder', 'mqtt-lamp'];

async function freePorts(count: number): Promise<string[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const free = servers.map((server) => String((server.address() as AddressInfo).port));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return free;
}

test('everything in the second half of the tutorial works as it stands', needsBroker, async (t) => {
  const folder = temporaryFolder(t);
  const free = await freePorts(ports.length);
  const withFreePorts = (text: string): string =>
    ports
      .reduce((changed, port, at) => changed.replaceAll(new RegExp(`\\b${port}\\b`, 'g'), free[at] ?? ''), text)
      .replaceAll('"mqtt://127.0.0.1"', `"mqtt://127.0.0.1:${free[4] ?? ''}"`);
  for (const sample of samples) {
    await cp(join(examplesFolder, sample), join(folder, 'examples', sample), { recursive: true });
    for (const name of await readdir(join(folder, 'examples', sample))) {
      const path = join(folder, 'examples', sample, name);
      await writeFile(path, withFreePorts(await readFile(path, 'utf8')));
    }
  }
  await mkdir(join(folder, 'node_modules'));
  await symlink(repository, join(folder, 'node_modules/nagaya'));
  await symlink(join(repository, 'node_modules/ws'), join(folder, 'node_modules/ws'));
  const env = {
    NAGAYA_SOCKET: join(folder, 'n.sock'),
    NAGAYA_STATE: join(folder, 'state'),
    PATH: `/usr/sbin:${process.env['PATH'] ?? ''}`,
  };
  const script = (line: string): string => `nagaya() { '${process.execPath}' '${commandFile}' "$@"; }\n${line}`;
  const background: { line: string; running: ReturnType<typeof startProcess> }[] = [];
  const run = async (line: string): Promise<string> => {
    const { code, stdout, stderr } = await startProcess(t, 'bash', ['-c', script(line)], { cwd: folder, env }).ended;
    assert.equal(code, 0, `${line}\n${stdout}${stderr}`);
    return stdout;
  };
  const says = async (line: string, pattern: RegExp): Promise<void> => {
    await until(`${line} says ${String(pattern)}`, async () => pattern.test(await run(line)), 60_000);
  };
  const prints = async (which: string, pattern: RegExp): Promise<void> => {
    const found = background.find(({ line }) => line.includes(which));
    await until(`${which} prints ${String(pattern)}`, () => pattern.test(found?.running.stdout() ?? ''), 60_000);
  };
  const lines = [...page.matchAll(/^```sh\n([\s\S]*?)```$/gm)].flatMap(([, block = '']) => block.trim().split('\n'));
  assert.ok(lines.length >= 18);
  for (const line of lines.map(withFreePorts)) {
    if (line.endsWith(' &')) {
      // By itself: what bash puts into the background would outlive the test.
      const alone = line.slice(0, -2).replace(/nagaya serve/, `'${process.execPath}' '${commandFile}' serve`);
      const running = startProcess(t, 'bash', ['-c', alone.replace(/^((?:\w+=\S+ )*)/, '$1exec ')], {
        cwd: folder,
        env,
        timeoutMs: 200_000,
      });
      background.push({ line, running });
      if (line.includes('nagaya serve')) await until('the daemon answers', () => isThere(folder));
      continue;
    }
    // A server that was begun on the line before takes a moment.
    if (/outputs retry/.test(line)) await says(line, /[^]*/);
    else await run(line);
  }
  await prints('chat-room.js', /^ada pushed 1 commit to main of ada\/engine$/m);
  await says('nagaya outputs list example.github-pushes', /chat .*open/);
  await says('nagaya sources list example.chat-bot', /chat .*open/);
  await prints('board.js', /^Report 1: nothing is known to have gone wrong on \d{4}-\d\d-\d\d\.$/m);
  await says('nagaya status example.watched-folder --json', /"handled": ?3/);
  await says('nagaya sources list example.mqtt-lamp', /sensors .*open/);
});

const isThere = async (folder: string): Promise<boolean> => (await readdir(folder)).includes('n.sock');
