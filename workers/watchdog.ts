// A thread beside a process cell's main thread, with a pipe of its own to the host. It ends the process and what that
// has started as soon as the pipe closes, also while the plugin loops, so that no cell outlives the daemon; and it puts
// the host's questions to the main thread, which answers them in the middle of a loop.
import { Session } from 'node:inspector';
import { Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { afterInterrupt } from '../protocol/cell/interrupt.ts';
import type { WatchAnswer, WatchQuestion } from '../protocol/cell/process-messages.ts';
import { TextLines } from '../protocol/text-lines.ts';
import { endStarted } from './started-processes.ts';

export interface WatchdogData {
  /** Of the pipe. */
  readonly fd: number;
  /** Where Node's permission model is on, connecting to the main thread would abort the process. */
  readonly canInspect: boolean;
  /**
   * A service's process leads a group of its own; a tool's shares the daemon's, and is ended by what it has started.
   */
  readonly ends: 'group' | 'tree';
}

const { fd, canInspect, ends } = workerData as WatchdogData;

const pipe = new Socket({ fd, readable: true, writable: true });

const endAll = (): void => {
  // Also who has left the group.
  endStarted();
  process.kill(ends === 'group' ? 0 : process.pid, 'SIGKILL');
};
for (const event of ['end', 'close', 'error']) pipe.on(event, endAll);

const say = (answer: WatchAnswer): void => {
  pipe.write(`${JSON.stringify(answer)}\n`);
};

const lines = new TextLines();
pipe.setEncoding('utf8');
pipe.on('data', (text: string) => {
  for (const line of lines.push(text)) put(JSON.parse(line) as WatchQuestion);
});

let session: Session | undefined;

/** Begun at the first question, so that what never fails never pays for it. */
function inspector(): Session {
  if (session === undefined) {
    session = new Session();
    session.connectToMainThread();
  }
  return session;
}

function put({ ask, expression }: WatchQuestion): void {
  if (!canInspect) return;
  // So that a main thread that does not answer is told from a watchdog that got no processor.
  say({ ask, taken: true });
  const asked = inspector();
  // Only between these two does V8 take down the stack of what is thrown.
  asked.post('Runtime.enable');
  asked.post('Runtime.evaluate', { expression, silent: true, returnByValue: true }, (_error, result) =>
    afterInterrupt(() => say({ ask, result })),
  );
  asked.post('Runtime.disable');
}

say({ ask: 0, result: null });
parentPort?.postMessage('up');
