// Functions of Node's modules that reach beyond the thread that calls them, in a thread cell.
import childProcess from 'node:child_process';
import inspector from 'node:inspector';
import os from 'node:os';
import v8 from 'node:v8';
import workerThreads, { Worker, type WorkerOptions } from 'node:worker_threads';
import { type Grants, denial, grantOf, replace } from './denial.ts';

const wholeDaemon = 'it would act on the whole daemon';

export function shieldModules(grants: Grants): void {
  replace(v8, 'setFlagsFromString', denial('v8.setFlagsFromString()', wholeDaemon));
  for (const name of ['open', 'close', 'waitForDebugger']) replace(inspector, name, denial(`inspector.${name}()`, wholeDaemon));
  replace(inspector.Session.prototype, 'connectToMainThread', denial('Inspecting the main thread', 'it is the daemon\'s own'));
  for (const name of ['execSync', 'execFileSync', 'spawnSync']) {
    replace(childProcess, name, denial(`child_process.${name}()`, 'the thread would wait where nothing can end it', 'Use the function without Sync, or "isolation": "process" in plugin.json.'));
  }
  shieldPriority();
  shieldThreads(grants);
}

function shieldPriority(): void {
  const { setPriority } = os;
  const refused = denial('os.setPriority() of the daemon', wholeDaemon);
  replace(os, 'setPriority', (...args: [number, number?]) => {
    const pid = args.length > 1 ? args[0] : 0;
    if ([0, process.pid, process.ppid].includes(pid)) refused();
    Reflect.apply(setPriority, os, args);
  });
}

function shieldThreads(grants: Grants): void {
  if ('postMessageToThread' in workerThreads) replace(workerThreads, 'postMessageToThread', denial('postMessageToThread()', 'the host takes no messages but its own'));
  if (grants.worker) {
    replace(workerThreads, 'Worker', guardedWorker(grants));
    return;
  }
  const refused = denial('Starting a Worker', 'what it does would escape this cell\'s limits', grantOf('worker'));
  replace(workerThreads, 'Worker', class Worker {
    constructor() {
      refused();
    }
  });
}

/** A thread that the plugin starts is in the same process, so that the same is kept from it. */
function guardedWorker(grants: Grants): typeof Worker {
  const query = grants.addons ? '?addons' : '';
  const guard = new URL(`../nested-guard.js${query}`, import.meta.url).href;
  const evaluator = new URL(`../nested-eval.js${query}`, import.meta.url);
  return class extends Worker {
    constructor(filename: string | URL, options: WorkerOptions = {}) {
      if (options.eval === true) super(evaluator, { ...options, eval: false, argv: [...((options.argv ?? []) as unknown[]), String(filename)] });
      else super(filename, { ...options, execArgv: [...(options.execArgv ?? process.execArgv), '--import', guard] });
    }
  };
}
