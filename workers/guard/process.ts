// What `process` offers a plugin in a thread cell: nothing that would act on the daemon, tell of its environment, or
// lead to the cell's own ports.
import { MessagePort } from 'node:worker_threads';
import { type Grants, denial, grantOf, processIsolation, replace } from './denial.ts';
import { isStarted } from './handles.ts';
import { shieldSignals } from './signals.ts';

const wholeDaemon = 'it would act on the whole daemon';

/** Node itself refuses most of these in a thread, in words that name no way out. */
const ofTheWholeProcess = [
  'chdir',
  'setegid',
  'seteuid',
  'setgid',
  'setuid',
  'setgroups',
  'initgroups',
  'execve',
  'binding',
  '_linkedBinding',
  '_debugProcess',
  '_debugEnd',
  'addUncaughtExceptionCaptureCallback',
];

export function shieldProcess(grants: Grants): void {
  for (const name of ofTheWholeProcess) {
    if (name in process) replace(process, name, denial(`process.${name}()`, wholeDaemon));
  }
  if (!grants.addons)
    replace(
      process,
      'dlopen',
      denial('Loading a native addon', 'a fault in one would end the daemon', grantOf('addons')),
    );
  shieldKill();
  shieldUmask();
  shieldTitle();
  shieldReport();
  hideHandles();
  // Node's own warnings go through this one.
  replace(
    process,
    '_rawDebug',
    (...values: unknown[]) => void process.stderr.write(`${values.map(String).join(' ')}\n`),
  );
}

/** A plugin may still end processes of its own, and ask whether any process lives. */
function shieldKill(): void {
  const remedy = 'Throw, or call process.exit(), to end this cell; processes that the plugin started can be signalled.';
  shieldSignals(
    {
      processes: [process.pid, process.ppid],
      ownsGroup: false,
      refuse: (what, of) => denial(what, wholeDaemon, of === 'signal' ? remedy : processIsolation)(),
    },
    isStarted,
  );
}

function shieldUmask(): void {
  const umask = process.umask.bind(process);
  const refused = denial('process.umask() with a mask', wholeDaemon);
  replace(process, 'umask', (mask?: string | number) => (mask === undefined ? umask() : refused()));
}

/** The daemon's name in the list of processes is its own. */
function shieldTitle(): void {
  let { title } = process;
  Object.defineProperty(process, 'title', {
    get: () => title,
    set: (value: unknown) => {
      title = String(value);
    },
    configurable: true,
    enumerable: true,
  });
}

/** A report holds the daemon's environment and stacks. Libraries ask it for the C library in use: that stays. */
function shieldReport(): void {
  const { report } = process;
  const getReport = report?.getReport.bind(report);
  replace(process, 'report', {
    getReport: () => {
      const { header, sharedObjects } = (getReport?.() ?? {}) as {
        header?: Record<string, unknown>;
        sharedObjects?: unknown;
      };
      const kept = ['nodejsVersion', 'arch', 'platform', 'wordSize', 'glibcVersionRuntime', 'glibcVersionCompiler'];
      return { header: Object.fromEntries(kept.map((name) => [name, header?.[name]])), sharedObjects };
    },
    writeReport: denial('process.report.writeReport()', "a report holds what is the daemon's own", processIsolation),
  });
}

/** Node's lists of what is open hold the cell's own ports to the host. */
function hideHandles(): void {
  for (const name of ['_getActiveHandles', '_getActiveRequests']) {
    const list = (Reflect.get(process, name) as () => unknown[]).bind(process);
    replace(process, name, () => list().filter((handle) => !(handle instanceof MessagePort)));
  }
}
