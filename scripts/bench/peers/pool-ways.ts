// The libraries a user would reach for: comlink, the pools, and a forked process. Pools get more calls at once than
// they have threads, so that none of them waits for its host.
import { wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { type ChildProcess, fork } from 'node:child_process';
import { type MessagePort, Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import Tinypool from 'tinypool';
import { pool as workerpool } from 'workerpool';
import { eventsOf } from '../payload.ts';
import { program } from '../place.ts';
import type { ComlinkApi } from './comlink-worker.ts';
import { type Way, keepingBusy } from './way.ts';

const waiting = 64;
const events = eventsOf(4096);
let at = 0;
const next = (): (typeof events)[number] => events[(at = (at + 1) % events.length)] as (typeof events)[number];

/** `unanswered`: how many calls are made before the first is answered. */
function wayOf(unanswered: number, call: () => Promise<unknown>, end: () => Promise<unknown>): Way {
  return {
    busy: keepingBusy(unanswered, call),
    once: async () => {
      await call();
    },
    end,
  };
}

function comlinkWay(): Way {
  const worker = new Worker(program('peers/comlink-worker'));
  // The adapter takes a worker where it asks for a port: both have the three methods it uses.
  const api = wrap<ComlinkApi>(nodeEndpoint(worker as unknown as MessagePort));
  return wayOf(
    1,
    () => api.handle(next()),
    () => worker.terminate(),
  );
}

export function piscinaWay(threads: number): Way {
  const pool = new Piscina({ filename: program('peers/pool-worker'), minThreads: threads, maxThreads: threads });
  return wayOf(
    waiting,
    () => pool.run(next()),
    () => pool.destroy(),
  );
}

function tinypoolWay(): Way {
  const pool = new Tinypool({ filename: program('peers/pool-worker'), minThreads: 1, maxThreads: 1 });
  return wayOf(
    waiting,
    () => pool.run(next()) as Promise<unknown>,
    () => pool.destroy(),
  );
}

function workerpoolWay(): Way {
  const pool = workerpool(program('peers/workerpool-worker'), { minWorkers: 1, maxWorkers: 1, workerType: 'thread' });
  return wayOf(
    waiting,
    async () => (await pool.exec('handle', [next()])) as unknown,
    async () => await pool.terminate(true),
  );
}

function forkWay(): Way {
  const child: ChildProcess = fork(program('peers/fork-child'), { serialization: 'advanced' });
  const asked: (() => void)[] = [];
  child.on('message', () => asked.shift()?.());
  const call = (): Promise<void> =>
    new Promise((resolve) => {
      asked.push(resolve);
      child.send(next());
    });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return wayOf(waiting, call, async () => {
    child.disconnect();
    await ended;
  });
}

/** As many at once as the daemon's tools have. */
const processesAtOnce = 2;

function forkEachWay(): Way {
  const call = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = fork(program('peers/fork-child'), { serialization: 'advanced' });
      child.once('error', reject);
      child.once('message', () => {
        child.kill('SIGKILL');
        resolve();
      });
      child.send(next());
    });
  return wayOf(processesAtOnce, call, async () => {});
}

function tinypoolEachWay(): Way {
  const pool = new Tinypool({
    filename: program('peers/pool-worker'),
    runtime: 'child_process',
    isolateWorkers: true,
    minThreads: 0,
    maxThreads: processesAtOnce,
  });
  return wayOf(
    processesAtOnce,
    () => pool.run(next()) as Promise<unknown>,
    () => pool.destroy(),
  );
}

export const poolWays = {
  comlink: comlinkWay,
  piscina: () => piscinaWay(1),
  'piscina-2': () => piscinaWay(2),
  tinypool: tinypoolWay,
  workerpool: workerpoolWay,
  fork: forkWay,
  'fork-each': forkEachWay,
  'tinypool-each': tinypoolEachWay,
} as const;
