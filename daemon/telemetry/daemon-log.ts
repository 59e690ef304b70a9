// The daemon's own log: one JSON object a line for programs, one readable line for a person at a terminal. Logging
// never waits and never throws: who reads the log may be slow, stuck or gone.
import { type Logger as PinoLogger, pino } from 'pino';
import type { LogLine } from '../../protocol/operations/telemetry.ts';
import { plural } from '../../protocol/plural.ts';
import type { Config, Limits } from '../config/schema.ts';
import { LineRing, type RecentLines } from './line-ring.ts';
import { LineWriter } from './line-writer.ts';
import type { LogQuery } from './log-query.ts';
import { LogDescriptor } from './log-descriptor.ts';
import { readableLine } from './readable-line.ts';

const bufferBytes = 1024 * 1024;
const chunkBytes = 64 * 1024;
const standardError = 2;

/** How this log is named in the feed, where every plugin has its id. */
export const daemonFeedName = '';

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(fields: LogFields, msg: string): void;
  info(fields: LogFields, msg: string): void;
  warn(fields: LogFields, msg: string): void;
  error(fields: LogFields, msg: string): void;
  /** The same log; every line has these fields too. */
  child(fields: LogFields): Logger;
}

export interface DaemonLogOptions {
  readonly level: Config['log']['level'];
  /** A descriptor; standard error when left out. */
  readonly destination?: number;
  /** Readable lines instead of JSON. */
  readonly pretty: boolean;
  /** Default: as `NO_COLOR` and `TERM` say. */
  readonly colour?: boolean;
  readonly limits: Pick<Limits, 'logLines'>;
  /** What must not stand in any line is taken out here: it gets the line as JSON text and answers JSON text. */
  redact?(json: string): string;
  onLine?(line: LogLine): void;
}

export interface DaemonLog {
  readonly logger: Logger;
  /** The newest lines that are wanted, from memory: where its file is, if it has one, only its starter knows. */
  recent(limit: number, wanted?: Omit<LogQuery, 'limit'>): RecentLines;
  /** From now on, for loggers that are no `child`. */
  readonly setLevel: (level: Config['log']['level']) => void;
  /** Lines that were not written because nobody read them, or they could not be written. */
  readonly dropped: number;
  /** Waits until what was logged is written, at most this long; then the process can exit. */
  close(deadlineMs: number): Promise<void>;
}

export function createDaemonLog(options: DaemonLogOptions): DaemonLog {
  const colour = options.colour ?? (!process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb');
  const ring = new LineRing(options.limits.logLines);
  let dropped = 0;
  const writer = new LineWriter({
    target: new LogDescriptor(options.destination ?? standardError),
    maxBytes: bufferBytes,
    chunkBytes,
    onCaughtUp: ({ lines }) =>
      logger.warn(
        { lines },
        `dropped ${plural(lines, 'line of this log: it was', 'lines of this log: they were')} not read in time`,
      ),
  });

  /** Takes a line as pino made it, its newline included. */
  const write = (made: string): void => {
    const json = options.redact?.(made.trimEnd()) ?? made.trimEnd();
    ring.push(json);
    // Our own encoder made it from fields that have level, time and msg.
    const line = options.pretty || options.onLine !== undefined ? (JSON.parse(json) as LogLine) : undefined;
    if (!writer.push(options.pretty && line !== undefined ? readableLine(line, colour) : `${json}\n`)) dropped += 1;
    if (line !== undefined) options.onLine?.(line);
  };

  const log = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
    },
    { write },
  );
  const logger = narrowed(log);
  return {
    logger,
    recent: (limit, wanted = {}) => ring.recent({ ...wanted, limit }),
    setLevel: (level) => (log.level = level),
    get dropped() {
      return dropped;
    },
    close: async (deadlineMs) => void (await writer.close(deadlineMs)),
  };
}

/** No more of pino than the daemon uses: its other ways to log cannot be typed as strictly. */
function narrowed(log: PinoLogger): Logger {
  return {
    debug: (fields, msg) => log.debug(fields, msg),
    info: (fields, msg) => log.info(fields, msg),
    warn: (fields, msg) => log.warn(fields, msg),
    error: (fields, msg) => log.error(fields, msg),
    child: (fields) => narrowed(log.child(fields)),
  };
}
