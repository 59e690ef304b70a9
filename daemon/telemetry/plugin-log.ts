// A plugin's own log: what its cells wrote and what the host has to say about it, without the plugin's secrets, on disk
// and in memory. The lines are the plugin's, so nothing in them is trusted: neither size nor form nor time.
import { join } from 'node:path';
import { type Logger as PinoLogger, pino } from 'pino';
import type { LogDroppedMessage, LogLevel, LogMessage } from '../../protocol/cell/messages.ts';
import { nestsDeeper } from '../../protocol/framing.ts';
import type { LogLine } from '../../protocol/operations/telemetry.ts';
import { plural } from '../../protocol/plural.ts';
import type { Limits } from '../config/schema.ts';
import { LineRing, type RecentLines } from './line-ring.ts';
import { linesBackwards } from './log-history.ts';
import { type LogQuery, isWanted, parsedLine } from './log-query.ts';
import { type Dropped, LineWriter } from './line-writer.ts';
import { LogFile } from './log-file.ts';
import type { Redactor } from './redactor.ts';

/** The cell cuts at 16 Ki characters and says so behind them. */
const maxText = 17 * 1024;
const maxFields = 16 * 1024;
const maxFieldsDepth = 32;
const maxCorrelationId = 128;
const bufferBytes = 512 * 1024;
const chunkBytes = 64 * 1024;
const closeMs = 2000;
const flushMs = 500;
/** A line may have waited in a busy cell; one that is older, or from the future, was stamped by a tampered clock. */
const oldestMs = 600_000;
/** Of its files, for one question. */
const mostReadBytes = 64 * 1024 * 1024;
/** After so many one after the other that are older than what is asked for, nothing newer is looked for. */
const mostTooOldBytes = 1024 * 1024;

export interface PluginLogOptions {
  readonly pluginId: string;
  /** Where all plugins' logs are. */
  readonly folder: string;
  readonly limits: Pick<Limits, 'logLines' | 'logFileBytes' | 'logFiles'>;
  readonly redactor: Pick<Redactor, 'text' | 'json'>;
  onLine?(line: LogLine): void;
  /** The disk does not take the log: told once, and again only after it did. */
  onTrouble?(error: Error): void;
}

export interface LogCounts {
  readonly lines: number;
  readonly bytes: number;
  readonly droppedLines: number;
  readonly droppedBytes: number;
}

export interface ReadLog extends RecentLines {
  /** Lines that had been written to the log by then. */
  readonly seen: number;
}

interface Line {
  readonly level: LogLevel;
  readonly text: string;
  readonly stream: LogMessage['stream'] | 'host';
  readonly incarnation?: number | undefined;
  readonly correlationId?: string | undefined;
  readonly data?: unknown;
  readonly atMs: number;
}

export class PluginLog {
  readonly #options: PluginLogOptions;
  readonly #pino: PinoLogger;
  readonly #ring: LineRing;
  readonly #writer: LineWriter;
  /** From the newest to the oldest. */
  readonly #files: readonly string[];
  readonly #counts = { lines: 0, bytes: 0, droppedLines: 0, droppedBytes: 0 };
  /** What pino made of the last line: it hands it over before its own call returns. */
  #made = '';
  #time = '';

  constructor(options: PluginLogOptions) {
    this.#options = options;
    const { pluginId, folder, limits } = options;
    this.#ring = new LineRing(limits.logLines);
    const path = join(folder, `${pluginId}.ndjson`);
    this.#files = Array.from({ length: limits.logFiles }, (_, age) => (age === 0 ? path : `${path}.${String(age)}`));
    this.#writer = new LineWriter({
      target: new LogFile({ path, maxBytes: limits.logFileBytes, maxFiles: limits.logFiles }),
      maxBytes: bufferBytes,
      chunkBytes: Math.min(chunkBytes, Math.floor(limits.logFileBytes / 4)),
      onTrouble: (error) => options.onTrouble?.(error),
      onCaughtUp: (dropped) => this.#noteDropped(dropped, 'the disk did not take them in time'),
    });
    this.#pino = pino(
      {
        level: 'debug',
        base: { plugin: pluginId },
        timestamp: () => `,"time":"${this.#time}"`,
        formatters: { level: (level) => ({ level }) },
      },
      {
        write: (made) => {
          this.#made = made;
        },
      },
    );
  }

  get counts(): LogCounts {
    return { ...this.#counts };
  }

  fromCell(message: LogMessage, incarnation: number): void {
    const { correlationId, fields } = message;
    this.#add({
      level: message.level,
      text: this.#clean(message.text, maxText),
      stream: message.stream,
      incarnation,
      correlationId: correlationId === undefined ? undefined : this.#clean(correlationId, maxCorrelationId),
      data: fields === undefined ? undefined : this.#fieldsOf(fields),
      atMs: trustedTime(message.at),
    });
  }

  droppedByCell(message: LogDroppedMessage, incarnation: number): void {
    this.#counts.droppedLines += message.lines;
    this.#counts.droppedBytes += message.bytes;
    this.#noteDropped(
      message,
      'over the log budget of the cell; limits.logBytesPerSecond of the plugin sets it',
      incarnation,
    );
  }

  /** What the host has to say about the plugin, in the plugin's log. */
  host(level: LogLevel, text: string, fields: Readonly<Record<string, unknown>> = {}): void {
    const { incarnation, correlationId, ...data } = fields;
    this.#add({
      level,
      text: this.#clean(text, maxText),
      stream: 'host',
      incarnation: typeof incarnation === 'number' ? incarnation : undefined,
      correlationId: typeof correlationId === 'string' ? this.#clean(correlationId, maxCorrelationId) : undefined,
      data: Object.keys(data).length === 0 ? undefined : this.#fieldsOf(asJson(data)),
      atMs: Date.now(),
    });
  }

  /** From memory alone, whatever the disk does. */
  recent(limit: number): RecentLines {
    return this.#ring.recent({ limit });
  }

  /** The newest lines that are wanted, also those that only the files hold. Never rejects. */
  async read(query: LogQuery): Promise<ReadLog> {
    // What memory has let go of is on disk then, unless the disk is slow.
    await this.#writer.flush(flushMs);
    const { seen } = this.#ring;
    const recent = this.#ring.recent(query);
    const missing = query.limit - recent.lines.length;
    if (query.limit === 0 || (missing === 0 && recent.truncated)) return { ...recent, seen };
    const older = await this.#older({ ...query, limit: missing });
    return { lines: [...older.lines, ...recent.lines], truncated: older.truncated, seen };
  }

  /** What came since a `read`: together they are without a gap. */
  after({ seen }: ReadLog, query: LogQuery): LogLine[] {
    return this.#ring.after(seen, query);
  }

  /** Lines that are no longer in memory. */
  async #older(query: LogQuery): Promise<RecentLines> {
    // What is in memory is on disk too, or on its way there.
    const here = new Map<string, number>();
    for (const json of this.#ring.texts()) here.set(json, (here.get(json) ?? 0) + 1);
    const { sinceMs = -Infinity } = query;
    const lines: LogLine[] = [];
    let bytes = 0;
    let tooOld = 0;
    try {
      for await (const json of linesBackwards(this.#files)) {
        bytes += json.length;
        const count = here.get(json) ?? 0;
        if (count > 0) {
          here.set(json, count - 1);
          continue;
        }
        const line = parsedLine(json);
        if (line === undefined) continue;
        // A line may be older than the one before it, by as much as its cell was late with it; and where the clock was
        // wrong for a while, there are older ones before it that are wanted.
        tooOld = Date.parse(line.time) < sinceMs - oldestMs ? tooOld + json.length : 0;
        if (tooOld > mostTooOldBytes) break;
        if (bytes > mostReadBytes) return { lines: lines.reverse(), truncated: true };
        if (!isWanted(line, query)) continue;
        if (lines.length === query.limit) return { lines: lines.reverse(), truncated: true };
        lines.push(line);
      }
    } catch {
      // The disk does not give it: what is known is told, and that it may not be all.
      return { lines: lines.reverse(), truncated: true };
    }
    return { lines: lines.reverse(), truncated: false };
  }

  /** What is still to be written gets a moment; a disk that does not take it loses it. */
  async close(): Promise<void> {
    await this.#writer.close(closeMs);
  }

  #noteDropped({ lines, bytes }: Dropped, reason: string, incarnation?: number): void {
    this.#add({
      level: 'warn',
      text: `dropped ${plural(lines, 'line')} (${sizeText(bytes)}): ${reason}`,
      stream: 'host',
      incarnation,
      data: { droppedLines: lines, droppedBytes: bytes },
      atMs: Date.now(),
    });
  }

  #add({ level, text, stream, incarnation, correlationId, data, atMs }: Line): void {
    this.#time = new Date(atMs).toISOString();
    const fields = {
      ...(incarnation === undefined ? {} : { incarnation }),
      stream,
      ...(correlationId === undefined ? {} : { correlationId }),
      ...(data === undefined ? {} : { data }),
    };
    this.#pino[level](fields, text);
    this.#counts.lines += 1;
    this.#counts.bytes += this.#made.length;
    this.#ring.push(this.#made.trimEnd());
    if (!this.#writer.push(this.#made)) {
      this.#counts.droppedLines += 1;
      this.#counts.droppedBytes += this.#made.length;
    }
    this.#options.onLine?.({ level, time: this.#time, plugin: this.#options.pluginId, ...fields, msg: text });
  }

  #clean(text: string, maxLength: number): string {
    const { redactor } = this.#options;
    return text.length > maxLength ? `${redactor.text(text.slice(0, maxLength), true)}… (cut)` : redactor.text(text);
  }

  /** The cell says that it is JSON; what is not, or is too much, is kept as far as it is a text. */
  #fieldsOf(json: string): unknown {
    if (json.length > maxFields || nestsDeeper(json, maxFieldsDepth)) return this.#clean(json, maxText);
    try {
      return JSON.parse(this.#options.redactor.json(json)) as unknown;
    } catch {
      // Not JSON, or a plain piece of text: it is shown as what it is.
      return this.#clean(json, maxText);
    }
  }
}

function asJson(fields: Readonly<Record<string, unknown>>): string {
  try {
    return JSON.stringify(fields);
  } catch {
    // Circular, a BigInt or a getter that throws: the line itself matters more.
    return '"(fields that are not JSON)"';
  }
}

function trustedTime(atMs: number): number {
  const now = Date.now();
  return atMs <= now && atMs >= now - oldestMs ? atMs : now;
}

function sizeText(bytes: number): string {
  if (bytes < 1000) return plural(bytes, 'byte');
  return bytes < 1_000_000 ? `${String(Math.round(bytes / 1000))} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
