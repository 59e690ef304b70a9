// Handlers that go past what a guard would look at first: numbers written as texts, descriptors of others, files that are
// none, and ways to run code that nobody guards. Where a deed is refused in threads alone, a process may do it to itself.
import { spawn } from 'node:child_process';
import fs, { copyFileSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import inspector from 'node:inspector';
import module from 'node:module';
import net from 'node:net';
import tty from 'node:tty';
import vm from 'node:vm';
import { isMainThread } from 'node:worker_threads';

const never = new Promise(() => {});
const daemon = isMainThread ? process.ppid : process.pid;
const inFolder = (name) => new URL(`./${name}`, import.meta.url);
const pipe = inFolder('0.fifo');

/** Tries them all, and throws what the last of them was refused with. */
async function refused(acts, mayPass = false) {
  let passed = 0;
  let refusal;
  for (const act of acts) {
    try {
      await act();
      passed += 1;
    } catch (error) {
      // What the guard says comes before what the system does.
      if (refusal?.code !== 'ERR_NAGAYA_DENIED') refusal = error;
    }
  }
  if (passed > 0 && !mayPass) return `${passed} of ${acts.length} got through`;
  if (refusal !== undefined) throw refusal;
  return 'done';
}

const others = Array.from({ length: 40 }, (_, at) => at + 3);

export const deeds = {
  'kill-converted': () => {
    const threads = readdirSync(`/proc/${daemon}/task`);
    const targets = [String(daemon), [daemon], { valueOf: () => daemon }, threads.at(-1), Number(threads.at(-1)), ...(isMainThread ? [] : ['', '0', false, []])];
    return refused(targets.map((target) => () => process.kill(target, 'SIGTERM')));
  },
  'foreign-descriptors': () => {
    const ways = [
      (fd) => new net.Socket({ fd }).destroy(),
      (fd) => new Promise((resolve, reject) => net.createServer().on('error', reject).listen({ fd }, resolve)),
      (fd) => new tty.ReadStream(fd).destroy(),
      (fd) => spawn('true', { stdio: [fd] }),
      (fd) => fs.fchmodSync(fd, 0o600),
      (fd) => fs.futimesSync(fd, 1, 1),
      (fd) => fs.ftruncateSync(fd, 0),
      (fd) => fs.writeFileSync(`/proc/self/fd/${fd}`, ''),
    ];
    return refused(ways.flatMap((way) => others.map((fd) => () => way(fd))), isMainThread);
  },
  'collected-handles': async () => {
    const numbers = [];
    for (let count = 0; count < 50; count += 1) numbers.push((await open('/dev/null')).fd);
    for (let round = 0; round < 40; round += 1) {
      new Array(1e6).fill(round);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    for (const number of numbers) {
      try {
        fs.closeSync(number);
      } catch {
        // Collected, and so refused: the next one.
      }
    }
    return 'done';
  },
  'damaged-cache': () => {
    const source = `(() => {${'function f() { return 1 } f();'.repeat(50)}})()`;
    const cachedData = new vm.Script(source, { produceCachedData: true }).cachedData;
    for (let at = 64; at < cachedData.length; at += 1) cachedData[at] = (at * 31) & 255;
    new vm.Script(source, { cachedData }).runInThisContext();
    return 'done';
  },
  'own-loader': () => refused([() => module.register('data:text/javascript,export {}')], isMainThread),
  'own-inspector': async () => {
    const session = new inspector.Session();
    session.connect();
    session.post('Debugger.enable');
    debugger;
    return never;
  },
  'read-device': () => readFileSync('/dev/zero', 'utf8').length,
  'read-huge': () => {
    const path = inFolder('huge');
    writeFileSync(path, '');
    truncateSync(path, 3 * 1024 ** 3);
    return readFileSync(path, 'utf8').length;
  },
  'copy-to-fifo': () => {
    copyFileSync(inFolder('fault.js'), pipe);
    return 'done';
  },
  'load-env-fifo': () => {
    process.loadEnvFile(pipe);
    return 'done';
  },
  'import-fifo': () => import(pipe.href),
  'read-environ': () => {
    const paths = ['/proc/self/environ', `/proc/${process.pid}/environ`, `/proc/${process.ppid}/environ`, '/proc/thread-self/environ', '/proc/self/root/proc/self/environ'];
    return refused(paths.map((path) => () => readFileSync(path)), isMainThread);
  },
  'control-socket': () => {
    const path = inFolder('../s').pathname;
    const connected = (address) => new Promise((resolve, reject) => net.connect(address).on('connect', resolve).on('error', reject));
    return refused([path, `/proc/self/root${path}`].map((address) => () => connected(address)));
  },
};
