// Faults of the daemon's own surroundings that a test can order by name: a full disk, a clock that jumps. They are
// armed by two variables of the daemon's environment together, so that nobody meets one by accident; unarmed, a
// failpoint is one comparison.
import { HostError } from '../../protocol/errors.ts';

export const failpointNames = [
  'state-unwritable',
  'disk-full',
  'cell-will-not-start',
  'socket-error',
  'clock-jump',
  'slow-loop',
  'store-before-commit',
  'store-after-commit',
  'store-full',
  'store-sync',
  'store-hang',
] as const;
export type FailpointName = (typeof failpointNames)[number];

type Environment = Readonly<Record<string, string | undefined>>;

export const failpointsVariable = 'NAGAYA_FAILPOINTS';
/** Must be `yes` as well. */
export const testVariable = 'NAGAYA_FAILPOINTS_IN_A_TEST';

/** It is the caller's turn to fail. */
export interface Hit {
  readonly argument: string;
  throwErrno(code: string): void;
}

/** Where the operator reads that failpoints are armed. */
interface FailpointLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

interface Armed {
  readonly argument: string;
  skips: number;
  times: number;
}

let armed: ReadonlyMap<FailpointName, Armed> | undefined;

/** Undefined, and nearly free, unless a test has ordered this fault for now. */
export function failpoint(name: FailpointName): Hit | undefined {
  return armed === undefined ? undefined : hit(armed.get(name), name);
}

function hit(point: Armed | undefined, name: FailpointName): Hit | undefined {
  if (point === undefined || point.times <= 0) return undefined;
  if (point.skips > 0) {
    point.skips -= 1;
    return undefined;
  }
  point.times -= 1;
  return {
    argument: point.argument,
    throwErrno: (code) => {
      throw Object.assign(new Error(`${code}: ordered by the failpoint ${name}`), { code });
    },
  };
}

/** Does and says nothing where nobody asks for a fault. */
export function armFailpoints(env: Environment, log: FailpointLog): void {
  const ordered = env[failpointsVariable];
  if (ordered === undefined || ordered === '') return;
  if (env[testVariable] !== 'yes') {
    log.warn({}, `${failpointsVariable} is set and has no effect: only tests may order faults`);
    return;
  }
  armed = new Map(ordered.split(',').map(parse));
  if (armed.has('clock-jump')) makeClockJump();
  if (armed.has('slow-loop')) slowTheLoop();
  log.error(
    {},
    `FAILPOINTS ARE ARMED: this daemon fails on purpose (${ordered}); it must hold nothing that anybody needs`,
  );
}

/** The date jumps by the argument's milliseconds, for whoever asks; the clock of deadlines does not. */
function makeClockJump(): void {
  const real = Date.now;
  let offsetMs = 0;
  Date.now = () => {
    offsetMs += Number(failpoint('clock-jump')?.argument ?? 0);
    return real() + offsetMs;
  };
}

const slowEveryMs = 100;

/** Again and again nothing else runs for the argument's milliseconds. */
function slowTheLoop(): void {
  setInterval(() => {
    const untilMs = performance.now() + Number(failpoint('slow-loop')?.argument ?? 0);
    while (performance.now() < untilMs);
  }, slowEveryMs).unref();
}

/**
 * `name`, `name=argument`, and behind them `@skips` and `*times`: `disk-full@2*3` fails the third to the fifth time.
 */
function parse(order: string): [FailpointName, Armed] {
  const found = /^(?<name>[a-z-]+)(?:=(?<argument>[^@*]*))?(?:@(?<skips>\d+))?(?:\*(?<times>\d+))?$/.exec(
    order.trim(),
  )?.groups;
  const name = failpointNames.find((known) => known === found?.['name']);
  if (found === undefined || name === undefined) {
    throw new HostError(
      'config_invalid',
      `${failpointsVariable} orders "${order}", which is no failpoint; there are ${failpointNames.join(', ')}.`,
      { issues: [{ path: failpointsVariable, message: `unknown: ${order}` }] },
    );
  }
  return [
    name,
    {
      argument: found['argument'] ?? '',
      skips: Number(found['skips'] ?? 0),
      times: Number(found['times'] ?? Infinity),
    },
  ];
}
