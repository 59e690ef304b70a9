// The descriptors that a thread cell has opened are its own; all others belong to the daemon or a neighbour, and no
// function of Node's takes them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import v8 from 'node:v8';
import { Worker } from 'node:worker_threads';
import { networkFlags, permissionFlag } from '../../daemon/isolates/permissions.ts';
import { type CellLab, cellLab } from '../labs/cell-lab.ts';

/** One of the host's own sockets, as one of its clients has. */
async function foreignSocket(t: TestContext): Promise<{ descriptor: number; isOpen(): boolean }> {
  const server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client: Socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(client, 'connect');
  let open = true;
  client.once('close', () => {
    open = false;
  });
  t.after(() => {
    client.destroy();
    server.close();
  });
  return { descriptor: (Reflect.get(client, '_handle') as { fd: number }).fd, isOpen: () => open };
}

const modules = `const [fs, net, tty, dgram, http2, { spawn, fork, ChildProcess }] = await Promise.all(['fs', 'net', 'tty', 'dgram', 'http2', 'child_process'].map((name) => import('node:' + name)));
const eventual = (begin) => new Promise((resolve, reject) => begin(resolve, reject));
const native = (object) => object[Object.getOwnPropertySymbols(object).find(({ description }) => description === 'kHandle')];`;

/** Each of them was given the number of a socket of the daemon's. */
const ways: readonly string[] = [
  'new net.Socket({ fd })',
  'eventual((resolve, reject) => net.createServer().on("error", reject).listen({ fd }, resolve))',
  'new tty.ReadStream(fd)',
  'new tty.WriteStream(fd)',
  'spawn("true", { stdio: [fd] })',
  'spawn("true", { stdio: ["ignore", { fd }, "ignore"] })',
  'spawn("true", { stdio: ["ignore", "ignore", "ignore", fd] })',
  'fork("/nowhere.js", { stdio: ["ignore", fd, "ignore", "ipc"] })',
  'new ChildProcess()._handle.spawn({ file: "true", args: ["true"], stdio: [{ type: "inherit", fd }] })',
  'fs.fchmodSync(fd, 0o600)',
  'fs.fchownSync(fd, 0, 0)',
  'fs.futimesSync(fd, 1, 1)',
  'fs.fsyncSync(fd)',
  'fs.fdatasyncSync(fd)',
  'eventual((resolve, reject) => fs.fchmod(fd, 0o600, (error) => error ? reject(error) : resolve()))',
  'eventual((resolve, reject) => fs.createReadStream(null, { fd, autoClose: false }).on("error", reject).on("data", resolve))',
  'eventual((resolve, reject) => fs.createWriteStream(null, { fd, autoClose: false }).on("error", reject).write("x", (error) => error ? reject(error) : resolve()))',
  'fs.readFileSync("/proc/self/fd/" + fd)',
  'fs.readFileSync("/dev/fd/" + fd)',
  'fs.promises.open("/dev/null").then((handle) => new (native(handle).constructor)(fd))',
  'eventual((resolve, reject) => { const socket = new net.Socket().on("error", () => {}); socket.connect({ path: "/nowhere" }); const handle = new socket._handle.constructor(0); socket.destroy(); resolve(handle.open(fd)) })',
];

async function codes({ run }: CellLab, tried: readonly string[], fd: number): Promise<unknown[]> {
  return (await run(
    `${modules} const { fd } = payload; const out = []; for (const act of [${tried.map((way) => `() => ${way}`).join(', ')}]) { try { await act(); out.push('done') } catch (error) { out.push(error.code ?? String(error)) } } return out`,
    { fd },
  )) as unknown[];
}

for (const [where, execArgv] of [
  ['a thread cell', []],
  [
    'a thread cell under permissions',
    [permissionFlag, ...networkFlags, '--allow-fs-read=*', '--allow-fs-write=*', '--allow-child-process'],
  ],
] as const) {
  test(`${where} is refused descriptors of the daemon, whatever takes them`, async (t) => {
    const lab = await cellLab(t, { spec: { execArgv } });
    const { descriptor, isOpen } = await foreignSocket(t);
    const answered = await codes(lab, ways, descriptor);
    assert.deepEqual(
      answered.map((code, at) => [ways[at], code]),
      ways.map((way) => [way, 'ERR_NAGAYA_DENIED']),
    );
    assert.ok(isOpen());
  });
}

test('HTTP/2 does not send what is behind a descriptor of the daemon', async (t) => {
  const lab = await cellLab(t);
  const { descriptor, isOpen } = await foreignSocket(t);
  const way =
    'eventual((resolve, reject) => { const server = http2.createServer(); server.on("stream", (stream) => { try { stream.respondWithFD(fd); resolve() } catch (error) { reject(error) } stream.destroy() }); server.listen(0, () => { const client = http2.connect("http://localhost:" + server.address().port); const request = client.request(); for (const one of [client, request]) one.on("error", () => {}); request.on("close", () => { client.close(); server.close() }); request.end() }) })';
  assert.deepEqual(await codes(lab, [way], descriptor), ['ERR_NAGAYA_DENIED']);
  assert.ok(isOpen());
});

test('descriptors that the plugin opened work with sockets and children, and are not closed a second time', async (t) => {
  const { run } = await cellLab(t);
  const answer = await run(
    `${modules}
    const output = fs.openSync(payload.path, 'w');
    const closed = (child) => new Promise((resolve) => child.on('close', resolve));
    await closed(spawn('echo', ['from a child'], { stdio: ['ignore', output, 'ignore'] }));
    fs.closeSync(output);
    const fifo = payload.path + '.fifo';
    await closed(spawn('mkfifo', [fifo]));
    const descriptor = fs.openSync(fifo, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
    const socket = new net.Socket({ fd: descriptor });
    const received = new Promise((resolve) => socket.once('data', resolve));
    socket.write('through a pipe');
    const text = String(await received);
    let code;
    try { fs.closeSync(descriptor) } catch (error) { code = error.code }
    socket.destroy();
    return [fs.readFileSync(payload.path, 'utf8'), text, code]`,
    { path: `/tmp/nagaya-descriptors-${String(process.pid)}` },
  );
  assert.deepEqual(answer, ['from a child\n', 'through a pipe', 'ERR_NAGAYA_DENIED']);
});

// Node 26 ends the thread of a plugin that lets a FileHandle be collected.
test(
  "the number of a file handle that was collected as garbage is nobody's",
  { skip: Number(process.versions.node.split('.')[0]) >= 25 },
  async (t) => {
    v8.setFlagsFromString('--expose-gc');
    const { run } = await cellLab(t);
    assert.equal(
      await run(
        'globalThis.number = (await (await import("node:fs")).promises.open("/dev/null")).fd; return typeof number',
      ),
      'number',
    );
    const collected = `const fs = await import('node:fs'); const endMs = Date.now() + 10000;
    for (;;) { gc(); await new Promise((resolve) => setTimeout(resolve, 5)); try { fs.fstatSync(number) } catch { break } if (Date.now() > endMs) return 'still open' }
    try { fs.closeSync(number); return 'closed' } catch (error) { return error.code }`;
    assert.equal(await run(collected), 'ERR_NAGAYA_DENIED');
  },
);

test('a file handle whose number was closed or given away closes nothing when it is collected as garbage', async (t) => {
  v8.setFlagsFromString('--expose-gc');
  const { run } = await cellLab(t);
  const others = await run(`const fs = await import('node:fs'); const net = await import('node:net');
    const numbers = [];
    for (let count = 0; count < 20; count += 1) numbers.push((await fs.promises.open('/dev/null')).fd);
    numbers.forEach((number, at) => { if (at % 2 === 0) fs.closeSync(number); else fs.close(number, () => {}); });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const others = numbers.map(() => fs.openSync('/dev/null'));
    for (let round = 0; round < 20; round += 1) { gc(); await new Promise((resolve) => setTimeout(resolve, 5)); }
    const open = others.filter((number) => { try { fs.fstatSync(number); return true } catch { return false } });
    for (const number of open) fs.closeSync(number);
    return others.length - open.length`);
  assert.equal(others, 0);
});

test('what a cell has open is counted: files, folders, sockets it made or took, and the pipes of its children', async () => {
  const guard = new URL('../../dist/workers/guard.js', import.meta.url).href;
  const descriptors = new URL('../../dist/workers/guard/descriptors.js', import.meta.url).href;
  const worker = new Worker(
    `(async () => {
      (await import(${JSON.stringify(guard)})).shieldDaemon({ worker: false, addons: false });
      const { openDescriptors } = await import(${JSON.stringify(descriptors)});
      const [fs, net, { spawn }, { once }] = await Promise.all(['fs', 'net', 'child_process', 'events'].map((name) => import('node:' + name)));
      const out = []; const tell = () => out.push(openDescriptors());
      const file = fs.openSync('/dev/null'); const handle = await fs.promises.open('/dev/null'); tell();
      fs.closeSync(file); await handle.close(); tell();
      const folder = fs.opendirSync('/'); tell(); folder.closeSync(); for await (const entry of await fs.promises.opendir('/')) break; tell();
      const taken = new Promise((resolve) => { globalThis.server = net.createServer(resolve).listen(0, '127.0.0.1') }); await once(server, 'listening'); tell();
      const client = net.connect(server.address().port, '127.0.0.1'); const other = await taken; tell();
      client.destroy(); other.destroy(); server.close(); await once(server, 'close'); tell();
      const child = spawn('cat'); tell(); child.stdin.end(); child.stdout.resume(); child.stderr.resume(); await once(child, 'close'); tell();
      require('node:worker_threads').parentPort.postMessage(out);
    })()`,
    { eval: true },
  );
  assert.deepEqual(await once(worker, 'message'), [[2, 0, 1, 0, 1, 3, 0, 3, 0]]);
  await worker.terminate();
});
