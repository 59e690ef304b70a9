// Handlers that reach for the process, for its descriptors, or for native code. In a thread, that process is the daemon.
import { closeSync, openSync } from 'node:fs';
import v8 from 'node:v8';
import { Worker, parentPort } from 'node:worker_threads';

const never = new Promise(() => {});

export const deeds = {
  'process-exit': () => process.exit(7),
  'process-abort': () => process.abort(),
  'kill-term': () => {
    process.kill(process.pid, 'SIGTERM');
    return never;
  },
  'kill-kill': () => {
    process.kill(process.pid, 'SIGKILL');
    return never;
  },
  'exit-listener-loop': () => {
    process.on('exit', () => {
      for (;;);
    });
    process.exit(7);
  },
  'parent-port-close': () => {
    parentPort.close();
    return 'done';
  },
  'nested-worker': async () => {
    const nested = new Worker('for (;;);', { eval: true });
    await new Promise((resolve, reject) => nested.once('online', resolve).once('error', reject));
    return 'done';
  },
  'native-segfault': () => {
    // The kit has made it: an addon whose initialiser writes to address zero.
    process.dlopen({ exports: {} }, new URL('./addon.node', import.meta.url).pathname);
    return 'done';
  },
  'native-trap': () => {
    v8.setFlagsFromString('--allow-natives-syntax');
    new Function('%SystemBreak()')();
    return 'done';
  },
  'many-descriptors': () => {
    for (let count = 0; count < 10_000; count += 1) openSync('/dev/null');
    return 'done';
  },
  'close-descriptors': () => {
    for (let descriptor = 3; descriptor < 40; descriptor += 1) {
      try {
        closeSync(descriptor);
      } catch {
        // Not open, or refused: the next one.
      }
    }
    return 'done';
  },
};
