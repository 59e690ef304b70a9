// Which lines of a log are wanted, and whether one of them is.
import type { LogLevel, LogLine } from '../../protocol/operations/telemetry.ts';

/** From the least to the most severe. */
const levels: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

export interface LogQuery {
  /** The newest so many. */
  readonly limit: number;
  /** None that is older; on the clock of the wall. */
  readonly sinceMs?: number | undefined;
  /** Only lines of this level and above. */
  readonly level?: LogLevel | undefined;
}

export function isWanted(line: LogLine, { sinceMs = -Infinity, level }: LogQuery): boolean {
  if (Date.parse(line.time) < sinceMs) return false;
  return level === undefined || levels.indexOf(line.level) >= levels.indexOf(level);
}

/** Undefined for what is no line of a log: a file may have been cut, or written by somebody else. */
export function parsedLine(json: string): LogLine | undefined {
  let line: Partial<LogLine> | null;
  try {
    line = JSON.parse(json) as Partial<LogLine> | null;
  } catch {
    return undefined;
  }
  if (typeof line !== 'object' || line === null) return undefined;
  const { level, time, msg } = line;
  const isLine = typeof level === 'string' && typeof msg === 'string' && typeof time === 'string';
  return isLine && !Number.isNaN(Date.parse(time)) ? { ...line, level, time, msg } : undefined;
}
