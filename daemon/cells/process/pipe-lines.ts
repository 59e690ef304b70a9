// What reaches a child's stdout and stderr pipes past its bootstrap: native code, and what the plugin has started. It
// becomes lines of the plugin's log within a budget; beyond it lines are counted and dropped, and a flood is held up
// by its own pipe, not the host by the flood.
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { LogLevel } from '../../../protocol/cell/messages.ts';
import { TextLines } from '../../../protocol/text-lines.ts';
import type { CellListener } from '../cell.ts';

const turnMs = 1000;
/** Of what comes in one turn this many budgets are read; the rest waits in the pipe. */
const budgetsRead = 8;
const leastLineCost = 64;
const maxLineLength = 16 * 1024;
const tailLength = 4000;

export class PipeLines {
  readonly #listener: Pick<CellListener, 'log' | 'logDropped'>;
  readonly #bytesPerTurn: number;
  readonly #pipes: readonly Pipe[];
  #budget: number;
  #readable: number;
  #dropped = { lines: 0, bytes: 0 };
  #turn: NodeJS.Timeout | undefined;
  #finishing = false;
  #tail = '';

  constructor(
    streams: { readonly stdout: Readable | null; readonly stderr: Readable | null },
    bytesPerSecond: number,
    listener: Pick<CellListener, 'log' | 'logDropped'>,
  ) {
    this.#listener = listener;
    this.#bytesPerTurn = bytesPerSecond;
    this.#budget = bytesPerSecond;
    this.#readable = bytesPerSecond * budgetsRead;
    this.#pipes = (['stdout', 'stderr'] as const).flatMap((name) => {
      const stream = streams[name];
      return stream === null
        ? []
        : [
            new Pipe(
              stream,
              (text, bytes) => this.#take(name, text, bytes),
              (line) => this.#line(name, line),
            ),
          ];
    });
  }

  /** What was written last to stderr: a process that is aborted says why there. */
  get tail(): string {
    return this.#tail;
  }

  /** The process is gone: what its pipes still hold is little, and is read without a pause. */
  finish(): void {
    this.#finishing = true;
    for (const pipe of this.#pipes) pipe.resume();
  }

  close(): void {
    for (const pipe of this.#pipes) pipe.close();
    clearTimeout(this.#turn);
    this.#reportDropped();
  }

  #take(name: 'stdout' | 'stderr', text: string, bytes: number): void {
    this.#turn ??= setTimeout(() => this.#endTurn(), turnMs).unref();
    if (name === 'stderr') this.#tail = (this.#tail + text).slice(-tailLength);
    this.#readable -= bytes;
    if (this.#readable > 0 || this.#finishing) return;
    for (const pipe of this.#pipes) pipe.pause();
  }

  #line(name: 'stdout' | 'stderr', text: string): void {
    const cost = Math.max(leastLineCost, text.length);
    if (this.#budget < cost && this.#budget < this.#bytesPerTurn) {
      this.#dropped.lines += 1;
      this.#dropped.bytes += cost;
      return;
    }
    this.#budget -= cost;
    this.#listener.log({ type: 'log', level: levels[name], stream: name, text, at: Date.now() });
  }

  #endTurn(): void {
    this.#turn = undefined;
    this.#budget = this.#bytesPerTurn;
    this.#readable = this.#bytesPerTurn * budgetsRead;
    this.#reportDropped();
    for (const pipe of this.#pipes) {
      pipe.flush();
      pipe.resume();
    }
  }

  #reportDropped(): void {
    if (this.#dropped.lines === 0) return;
    this.#listener.logDropped({ type: 'logDropped', ...this.#dropped });
    this.#dropped = { lines: 0, bytes: 0 };
  }
}

const levels: Readonly<Record<'stdout' | 'stderr', LogLevel>> = { stdout: 'info', stderr: 'error' };

/** One of the two, cut into lines. */
class Pipe {
  readonly #stream: Readable;
  readonly #line: (text: string) => void;
  readonly #lines = new TextLines();

  constructor(stream: Readable, take: (text: string, bytes: number) => void, line: (text: string) => void) {
    this.#stream = stream;
    this.#line = line;
    const decoder = new StringDecoder('utf8');
    stream.on('data', (chunk: Buffer) => {
      const text = decoder.write(chunk);
      take(text, chunk.length);
      this.#cut(text);
    });
    // A pipe that breaks has an end of the process behind it, and that is told.
    stream.on('error', () => {});
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** What has no line's end yet is a line after all. */
  flush(): void {
    if (this.#lines.partialLength > 0) this.#line(this.#lines.takePartial());
  }

  close(): void {
    this.flush();
    this.#stream.destroy();
  }

  #cut(text: string): void {
    for (const line of this.#lines.push(text))
      this.#line(line.length > maxLineLength ? `${line.slice(0, maxLineLength)}… (cut)` : line);
    if (this.#lines.partialLength > maxLineLength) this.flush();
  }
}
