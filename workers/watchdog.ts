// A thread beside a process cell's main thread, with a pipe of its own to the host. It ends the whole process group as
// soon as that pipe closes, also while the plugin loops, so that no cell outlives the daemon; and it takes the main
// thread's stack when the host asks where the plugin is.
import { Session } from 'node:inspector';
import { Socket } from 'node:net';
import { workerData } from 'node:worker_threads';
import { type RawFrame, type StackAnswer, type StackRequest, watchFd } from '../protocol/cell/process-messages.ts';

export interface WatchdogData {
  /** Where Node's permission model is on, connecting to the main thread would abort the process. */
  readonly canInspect: boolean;
}

const { canInspect } = workerData as WatchdogData;

const maxFrames = 50;
const maxText = 1000;
/** An idle main thread that has acknowledged a pause runs nothing more to be paused in. */
const idleAfterMs = 30;
const busyShare = 0.5;

const pipe = new Socket({ fd: watchFd, readable: true, writable: true });

/** The own group: what the plugin has started ends with it. */
const endAll = (): void => {
  process.kill(0, 'SIGKILL');
};
pipe.on('close', endAll);
pipe.on('end', endAll);
pipe.on('error', endAll);

let partial = '';
pipe.setEncoding('utf8');
pipe.on('data', (text: string) => {
  const lines = (partial + text).split('\n');
  partial = lines.pop() ?? '';
  for (const line of lines) {
    const { ask, withinMs } = JSON.parse(line) as StackRequest;
    if (canInspect) takeStack(ask, withinMs);
    else answer({ ask, state: 'idle', frames: [] });
  }
});

function answer(message: StackAnswer): void {
  pipe.write(`${JSON.stringify(message)}\n`);
}

function takeStack(ask: number, withinMs: number): void {
  const session = new Session();
  const urls = new Map<string, string>();
  let done = false;
  const settle = (state: StackAnswer['state'], frames: readonly RawFrame[]): void => {
    if (done) return;
    done = true;
    clearTimeout(giveUp);
    answer({ ask, state, frames });
    // Resumed before the session goes, so that a cell that is not ended afterwards lives on.
    session.post('Debugger.resume');
    session.disconnect();
  };
  const giveUp = setTimeout(() => settle('busy', []), withinMs);
  session.connectToMainThread();
  session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url));
  session.on('Debugger.paused', ({ params }) => {
    settle('paused', params.callFrames.slice(0, maxFrames).map(({ functionName, location }) => ({
      function: functionName.slice(0, maxText),
      url: (urls.get(location.scriptId) ?? '').slice(0, maxText),
      line: location.lineNumber,
      column: location.columnNumber ?? 0,
    })));
  });
  session.post('Debugger.enable');
  session.post('Debugger.pause', () => {
    const cpu = process.cpuUsage();
    const sinceMs = performance.now();
    // Native code may take the request in passing and run on: then the processor tells.
    setTimeout(() => {
      const { user, system } = process.cpuUsage(cpu);
      if ((user + system) / 1000 < (performance.now() - sinceMs) * busyShare) settle('idle', []);
    }, idleAfterMs);
  });
}
