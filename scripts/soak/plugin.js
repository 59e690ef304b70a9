// A service of the soak test. Before anything else it records which event it was given, in a file that outlives its
// cell; then it does what the event's payload says, and much of that is the end of its cell.
import { openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const never = new Promise(() => {});
const entry = Buffer.alloc(8);
let file;

const deeds = {
  fine: (n) => n,
  later: (n) => sleep(1).then(() => n),
  busy: (n) => {
    const until = performance.now() + 2;
    while (performance.now() < until);
    return n;
  },
  log: (n, ctx) => {
    for (let line = 0; line < 50; line += 1) ctx.log.info('a line of the soak', { n, line });
    return n;
  },
  throw: () => {
    throw new Error('thrown in the soak');
  },
  'throw-null': () => {
    throw null;
  },
  unsendable: () => () => 1,
  exit: () => process.exit(3),
  loop: () => {
    for (;;);
  },
  hang: () => never,
  'late-throw': (n) => {
    setTimeout(() => {
      throw new Error('thrown later in the soak');
    }, 5);
    return n;
  },
  'late-rejection': (n) => {
    setTimeout(() => Promise.reject(new Error('rejected later in the soak')), 5);
    return n;
  },
  memory: () => {
    const held = [];
    for (;;) held.push(new Array(50_000).fill(held.length));
  },
};

export const service = {
  start(ctx) {
    file = openSync(ctx.config.record, 'a');
  },
  handleIngress({ payload: { n, deed, times }, attempt }, ctx) {
    entry.writeUInt32LE(n, 0);
    entry.writeUInt32LE(attempt, 4);
    writeSync(file, entry);
    return deeds[attempt > times ? 'fine' : deed](n, ctx);
  },
};
