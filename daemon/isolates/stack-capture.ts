// Finds out where a cell's plugin code is, for the answer that its caller is about to get. It is bounded, never
// rejects and never stops the cell: V8 takes down the stack of an exception that is thrown on top of whatever runs.
import type { EventLoopUtilization } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspectionName } from '../../protocol/cell/inspection.ts';
import { type Standing, type ThreadTimes, mainThreadTimes, standing, threadTimes } from './os-thread.ts';
import { ownFramesOf, positionsOf, shownFrames } from './plugin-frames.ts';
import { threadInspector } from './thread-inspector.ts';
import type { WatchLine } from './watch-line.ts';
import type { Whereabouts } from './whereabouts.ts';
import { awakeTime } from '../time/awake-time.ts';

/** A thread or process that can be asked in the middle of a loop. */
export interface AskableCell {
  /** Where the plugin runs; 0 for a process's main thread. */
  readonly threadId: number;
  /** The inspector's result of an expression; nothing where there is none in time. */
  evaluate(expression: string, withinMs: number): Promise<unknown>;
  /** Whether it could have answered at all; asked when it did not. */
  reachable(): boolean;
  /** Whether its event loop rests, by a look of at most so long; nothing where that cannot be seen from outside. */
  rests?(withinMs: number): Promise<boolean>;
  times?(): ThreadTimes | undefined;
}

/** Enough for a caller that is to be answered within 50 ms of its deadline. */
export const locateMs = 40;
/** How much longer a thread is asked that got no time on a busy machine. */
const starvedMs = 250;

/** Where the cell's own functions are found. */
export const inspection = `globalThis[${JSON.stringify(inspectionName)}]`;
/** What is thrown says whose stack it is: a wrong culprit would be worse than none. */
const takeStack = `throw ${inspection}.threadId`;

export async function whereabouts(cell: AskableCell, folder: string, withinMs: number): Promise<Whereabouts> {
  const latestMs = awakeTime.nowMs() + withinMs + starvedMs;
  let found: Whereabouts | undefined;
  // A thread that the system gave no time cannot have answered, and whoever waits is late on such a machine anyway.
  do found = await look(cell, folder, withinMs);
  while (found === undefined && awakeTime.nowMs() < latestMs);
  return found ?? { kind: 'unknown', frames: [] };
}

/** Nothing where the thread got no time to answer. */
async function look(cell: AskableCell, folder: string, withinMs: number): Promise<Whereabouts | undefined> {
  const dueMs = awakeTime.nowMs() + withinMs;
  const left = (): number => Math.max(0, dueMs - awakeTime.nowMs());
  const resting = cell.rests?.(withinMs);
  const beganMs = performance.now();
  const before = cell.times?.();
  const answer = await cell.evaluate(takeStack, left());
  const own = thrownIn(answer) === cell.threadId ? ownFramesOf(answer, folder) : undefined;
  if (own === undefined) {
    if ((await resting) === true) return { kind: 'waiting', frames: [] };
    return unanswered(cell.reachable(), standing(before, cell.times?.(), performance.now() - beganMs));
  }
  if (own.length === 0) {
    // It answered from its event loop, or from the middle of something that is not the plugin's own. Answering took
    // processor time too, so a thread that seemed busy meanwhile is looked at once more now that it has answered.
    if ((await resting) === false && (await cell.rests?.(Math.max(lookMs, left()))) === false) {
      return { kind: 'javascript', frames: [] };
    }
    const open = texts(await json(cell, 'open()', left()));
    return { kind: 'waiting', frames: [], ...(open === undefined ? {} : { open }) };
  }
  const origins = await json(cell, `origins(${JSON.stringify(JSON.stringify(positionsOf(own)))})`, left());
  return { kind: 'javascript', frames: shownFrames(own, origins, folder) };
}

function unanswered(reachable: boolean, did: Standing | undefined): Whereabouts | undefined {
  if (!reachable) return { kind: 'unknown', frames: [] };
  if (did === 'starved') return undefined;
  return {
    kind: 'native',
    frames: [],
    ...(did === undefined ? {} : { doing: did === 'ran' ? 'computing' : 'waiting' }),
  };
}

function thrownIn(answer: unknown): unknown {
  return (answer as { exceptionDetails?: { exception?: { value?: unknown } } } | undefined)?.exceptionDetails?.exception
    ?.value;
}

/** What one of the cell's own functions answers. */
async function json(cell: AskableCell, call: string, withinMs: number): Promise<unknown> {
  const answer = (await cell.evaluate(`${inspection}.${call}`, withinMs)) as
    { result?: { value?: unknown } } | undefined;
  const text = answer?.result?.value;
  try {
    return typeof text === 'string' ? JSON.parse(text) : undefined;
  } catch {
    // The cell said something else than its own function would.
    return undefined;
  }
}

const mostTexts = 20;
const maxText = 100;

const texts = (value: unknown): string[] | undefined =>
  Array.isArray(value)
    ? value
        .filter((item): item is string => typeof item === 'string')
        .slice(0, mostTexts)
        .map((text) => text.slice(0, maxText))
    : undefined;

/** Long enough to see whether an event loop rests, short enough to leave time for the rest. */
const lookMs = 5;
/** An event loop that rests this much is waiting, not working. */
const restingShare = 0.5;

/** What else is known of a thread, from outside. */
export interface ThreadSigns {
  readonly eventLoop?: () => EventLoopUtilization;
  readonly osThread?: number;
}

/** A thread of this process. */
export function locateThread(
  threadId: number,
  folder: string,
  withinMs: number,
  { eventLoop, osThread = 0 }: ThreadSigns = {},
): Promise<Whereabouts> {
  const cell: AskableCell = {
    threadId,
    evaluate: (expression, evaluateMs) => threadInspector.evaluate(threadId, expression, evaluateMs),
    reachable: () => threadInspector.reaches(threadId),
    times: () => threadTimes(osThread, true),
    ...(eventLoop === undefined ? {} : { rests: (restMs: number) => rests(eventLoop, Math.min(lookMs, restMs)) }),
  };
  return whereabouts(cell, folder, withinMs);
}

export interface WatchedProcess {
  readonly watch: WatchLine | undefined;
  readonly pid: number | undefined;
  /** Under Node's permission model there is no inspector to ask. */
  readonly restricted: boolean;
}

/** A child process, through its watchdog. */
export function locateProcess(
  { watch, pid = 0, restricted }: WatchedProcess,
  folder: string,
  withinMs: number,
): Promise<Whereabouts> {
  if (watch?.up !== true || restricted) return Promise.resolve({ kind: 'unknown', frames: [] });
  const cell: AskableCell = {
    threadId: 0,
    evaluate: (expression, evaluateMs) => watch.evaluate(expression, evaluateMs),
    reachable: () => watch.up && watch.heard,
    times: () => mainThreadTimes(pid),
  };
  return whereabouts(cell, folder, withinMs);
}

async function rests(eventLoop: () => EventLoopUtilization, lookForMs: number): Promise<boolean> {
  const before = eventLoop();
  await sleep(lookForMs);
  const now = eventLoop();
  const idleMs = now.idle - before.idle;
  return idleMs > 0 && idleMs >= restingShare * (idleMs + now.active - before.active);
}
