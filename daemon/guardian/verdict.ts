// Who took the daemon down: what is known of a death is held against each other, and a plugin is named only where the
// evidence names it. A pure function: the evidence comes in, a verdict goes out.
import type { AccountPage } from '../files/loss-account-layout.ts';

export interface Evidence {
  readonly signal: string | null;
  readonly account: AccountPage;
  /** The thread that wrote Node's report on the fatal error. */
  readonly reportedThread?: number | undefined;
  /** Threads of the operating system that computed while the process was writing its last words. */
  readonly computing: readonly number[];
  /** Plugins that were suspects of an earlier death. */
  readonly earlierSuspects: ReadonlySet<string>;
}

export interface Verdict {
  readonly culprit?: string;
  readonly suspects: readonly string[];
  /** Who is to run in processes from now on: the culprit, or who was suspected before as well. */
  readonly escalate: readonly string[];
}

/** Signals by which a thread ends its process. SIGKILL comes from outside, and makes nobody a suspect. */
const fromWithin: ReadonlySet<string> = new Set(['SIGABRT', 'SIGTRAP', 'SIGSEGV', 'SIGBUS', 'SIGILL']);

export function verdict({ signal, account, reportedThread, computing, earlierSuspects }: Evidence): Verdict {
  if (signal === null || !fromWithin.has(signal)) return { suspects: [], escalate: [] };
  const reported = account.threads.find(({ threadId }) => threadId === reportedThread);
  if (reported !== undefined) return named(reported.plugin);
  const executing = executingInThreads(account);
  const computed = distinct(
    account.threads
      .filter(({ osThread }) => osThread !== 0 && computing.includes(osThread))
      .map(({ plugin }) => plugin),
  );
  for (const candidates of [computed.filter((plugin) => executing.includes(plugin)), executing, computed]) {
    const [only] = candidates;
    if (candidates.length === 1 && only !== undefined) return named(only);
  }
  const twice = executing.filter((plugin) => earlierSuspects.has(plugin));
  const [again] = twice;
  if (twice.length === 1 && again !== undefined) return named(again);
  return { suspects: executing, escalate: twice };
}

const named = (culprit: string): Verdict => ({ culprit, suspects: [], escalate: [culprit] });

/** Only a plugin that has a thread in the daemon's process can take it down. */
function executingInThreads({ plugins, threads }: AccountPage): string[] {
  const inThreads = new Set(threads.map(({ plugin }) => plugin));
  const ending = new Set(threads.filter((thread) => thread.ending).map(({ plugin }) => plugin));
  return plugins
    .filter(
      ({ plugin, counts: { executing, calls, starting } }) =>
        ending.has(plugin) || (inThreads.has(plugin) && executing + calls + starting > 0),
    )
    .map(({ plugin }) => plugin);
}

const distinct = (names: readonly string[]): string[] => [...new Set(names)];
