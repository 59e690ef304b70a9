// What a plugin writes (ctx.log, console, stdout, stderr) becomes lines of its own log. The byte budget is held here,
// on the sending side: the receiving side is the host's main thread, which a flood must never reach.
import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { isNativeError } from 'node:util/types';
import { isMainThread } from 'node:worker_threads';
import { flattenError, messageWithCauses, stackWithCauses } from '../protocol/cell/plain-error.ts';
import type { LogDroppedMessage, LogLevel, LogMessage } from '../protocol/cell/messages.ts';
import { TextLines } from '../protocol/text-lines.ts';
import { captured, stringifyJson } from './primitives.ts';

export interface PluginLogger {
  debug(message: string, fields?: unknown): void;
  info(message: string, fields?: unknown): void;
  warn(message: string, fields?: unknown): void;
  error(message: string, fields?: unknown): void;
}

const maxLineLength = 16 * 1024;
const maxFieldsLength = 16 * 1024;
/** An empty line costs the host a message too. */
const leastLineCost = 64;
const partialLineMs = 200;
const dropReportMs = 1000;

export class CellLog {
  readonly #post: (message: LogMessage | LogDroppedMessage) => void;
  readonly #bytesPerSecond: number;
  #budget: number;
  #refilledAt = captured.wallMs();
  #droppedLines = 0;
  #droppedBytes = 0;
  #reportPending = false;
  readonly #partials: (() => void)[] = [];

  constructor(post: (message: LogMessage | LogDroppedMessage) => void, bytesPerSecond: number) {
    this.#post = post;
    this.#bytesPerSecond = bytesPerSecond;
    this.#budget = bytesPerSecond;
  }

  write(level: LogLevel, stream: LogMessage['stream'], text: string, fields?: unknown, correlationId?: string): void {
    const fieldsJson = fields === undefined ? undefined : fieldsText(fields);
    const cost = Math.max(leastLineCost, text.length + (fieldsJson?.length ?? 0));
    const at = captured.wallMs();
    if (!this.#spend(Math.min(cost, maxLineLength + maxFieldsLength), at)) {
      this.#droppedLines += 1;
      this.#droppedBytes += cost;
      this.#reportLater();
      return;
    }
    this.#reportDropped();
    this.#post({
      type: 'log',
      level,
      stream,
      text:
        text.length > maxLineLength
          ? `${text.slice(0, maxLineLength)}… (cut from ${String(text.length)} characters)`
          : text,
      at,
      ...(fieldsJson === undefined ? {} : { fields: fieldsJson }),
      ...(correlationId === undefined ? {} : { correlationId }),
    });
  }

  logger(correlationId?: string): PluginLogger {
    const at = (level: LogLevel) => (message: string, fields?: unknown) =>
      this.write(level, 'log', textOf(message), fields, correlationId);
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }

  /** From here on console, process.stdout and process.stderr of this cell are lines of the log. */
  captureOutput(): void {
    replaceStream('stdout', this.#lineStream('stdout', 'info'));
    replaceStream('stderr', this.#lineStream('stderr', 'error'));
    captureConsole((level, text) => this.write(level, 'console', text));
  }

  /** What has been written without a line's end, and what was dropped: before the cell ends. */
  flush(): void {
    for (const flushPartial of this.#partials) flushPartial();
    this.#reportDropped();
  }

  #spend(cost: number, at: number): boolean {
    const refill = ((at - this.#refilledAt) / 1000) * this.#bytesPerSecond;
    if (refill > 0) {
      this.#budget = Math.min(this.#bytesPerSecond, this.#budget + refill);
      this.#refilledAt = at;
    }
    if (this.#budget < cost && this.#budget < this.#bytesPerSecond) return false;
    this.#budget -= cost;
    return true;
  }

  #reportDropped(): void {
    if (this.#droppedLines === 0) return;
    this.#post({ type: 'logDropped', lines: this.#droppedLines, bytes: this.#droppedBytes });
    this.#droppedLines = 0;
    this.#droppedBytes = 0;
  }

  /** A flood that ends in silence must still be told. */
  #reportLater(): void {
    if (this.#reportPending) return;
    this.#reportPending = true;
    captured
      .setTimeout(() => {
        this.#reportPending = false;
        this.#reportDropped();
      }, dropReportMs)
      .unref();
  }

  #lineStream(stream: 'stdout' | 'stderr', level: LogLevel): Writable {
    const lines = new TextLines();
    let timer: NodeJS.Timeout | undefined;
    const flushPartial = (): void => {
      if (lines.partialLength > 0) this.write(level, stream, lines.takePartial());
    };
    this.#partials.push(flushPartial);
    return new Writable({
      decodeStrings: false,
      write: (chunk: string | Buffer, _encoding, done) => {
        for (const line of lines.push(chunk.toString())) this.write(level, stream, line);
        if (lines.partialLength > maxLineLength) flushPartial();
        if (lines.partialLength > 0 && timer === undefined) {
          timer = captured.setTimeout(() => {
            timer = undefined;
            flushPartial();
          }, partialLineMs);
          timer.unref();
        }
        done();
      },
    });
  }
}

function textOf(message: unknown): string {
  if (typeof message === 'string') return message;
  if (isNativeError(message)) {
    const error = flattenError(message);
    return stackWithCauses(error) ?? messageWithCauses(error);
  }
  return stringifyOrNothing(message) ?? typeof message;
}

/** JSON makes `{}` of an error: it is written with its message, stack and causes, alone or as a field. */
const withErrors = (_key: string, value: unknown): unknown => (isNativeError(value) ? flattenError(value) : value);

function stringifyOrNothing(value: unknown): string | undefined {
  try {
    return stringifyJson(value, withErrors);
  } catch {
    // Circular, a BigInt or a throwing toJSON: the line is kept without it.
    return undefined;
  }
}

function fieldsText(fields: unknown): string {
  const text = stringifyOrNothing(fields);
  if (text === undefined) return '"(fields that are not JSON)"';
  return text.length > maxFieldsLength ? `"(fields of ${String(text.length)} characters left out)"` : text;
}

/**
 * Node itself calls a function that its own streams of a thread hold by a symbol, whenever the host has read from them:
 * a stream in their place without it would end the cell.
 */
function replaceStream(name: 'stdout' | 'stderr', stream: Writable): void {
  // In a process the own stream is not even looked at: making it would let its pipe refuse what others write there.
  const own: unknown = isMainThread ? {} : Object.getPrototypeOf(process[name]);
  for (const symbol of Object.getOwnPropertySymbols(own))
    Object.defineProperty(stream, symbol, { value: () => undefined });
  Object.defineProperty(process, name, { value: stream, configurable: true, enumerable: true });
}

/** One console call is one line of the log, however many lines of text it makes. */
function captureConsole(write: (level: LogLevel, text: string) => void): void {
  let level: LogLevel = 'info';
  const sink = new Writable({
    decodeStrings: false,
    write: (chunk: string | Buffer, _encoding, done) => {
      write(level, chunk.toString().replace(/\n$/, ''));
      done();
    },
  });
  const own = new Console({ stdout: sink, stderr: sink });
  const levels: Record<string, LogLevel> = {
    debug: 'debug',
    warn: 'warn',
    error: 'error',
    trace: 'debug',
    assert: 'error',
  };
  for (const [name, method] of Object.entries(own)) {
    if (typeof method !== 'function') continue;
    const methodLevel = levels[name] ?? 'info';
    Reflect.set(console, name, (...values: unknown[]) => {
      level = methodLevel;
      return Reflect.apply(method as (...values: unknown[]) => unknown, own, values);
    });
  }
}
