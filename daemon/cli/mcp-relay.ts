// What passes between an MCP client's standard streams and the daemon. Lines are told apart only so far as plain calls
// are concerned, and go on uncopied and unread.
import type { Socket } from 'node:net';
import { LineCutter } from '../../protocol/framing.ts';
import { mcpPlainHead, plainOfferMark } from '../../protocol/mcp/first-line.ts';
import type { PlainOffer } from '../../protocol/mcp/plain-offer.ts';
import { PlainCalls } from './mcp-plain-calls.ts';

/** A longer line is not held until it is whole: it goes to the MCP thread as it comes. */
const mostHeldBytes = 64 * 1024;
const mostLineBytes = 1024 * 1024 * 1024;
const newline = 0x0a;
const exclamationMark = 0x21;

export class McpRelay {
  /** Whether the client was the one to end it. */
  readonly over: Promise<boolean>;
  readonly #socket: Socket;
  readonly #calls: PlainCalls;
  #tellOver: (asked: boolean) => void = () => {};
  /** The beginning of a line of the client. */
  #held: Buffer | undefined;
  /** The rest of the client's line goes on as it comes. */
  #passing = false;
  #offered = false;
  /** Of the daemon, on their way to the client. */
  #lines: Buffer[] = [];
  #ended = false;
  #closed = false;

  constructor(socket: Socket, path: string) {
    this.#socket = socket;
    this.over = new Promise((resolve) => (this.#tellOver = resolve));
    this.#calls = new PlainCalls(path, {
      answered: (lines) => this.#write(lines),
      readinessChanged: () => this.#balance(),
      settled: () => this.#endIfDone(),
    });
    const { stdin, stdout } = process;
    const cutter = new LineCutter(mostLineBytes, {
      line: (bytes, start, end) => this.#told(bytes, start, end),
      tooLong: () => socket.destroy(),
    });
    socket.write(`${mcpPlainHead}\n`);
    stdin.on('data', (chunk: Buffer) => this.#said(chunk));
    stdin.on('end', () => this.#clientEnded());
    stdin.on('error', () => this.#clientEnded());
    stdout.on('drain', () => this.#balance());
    // A client that is gone ends the connections: the daemon then ends its calls.
    stdout.on('error', () => {
      socket.destroy();
      this.#calls.close();
    });
    socket.on('data', (chunk: Buffer) => {
      cutter.push(chunk);
      this.#tell();
    });
    socket.on('drain', () => this.#balance());
    // The daemon takes nothing any more, either.
    socket.once('end', () => socket.destroy());
    socket.on('error', () => undefined); // told by 'close'
    socket.once('close', () => {
      this.#closed = true;
      // Nothing else is waited for, neither the client's next word nor what it does not read.
      if (!this.#ended) stdin.destroy();
      this.#endIfDone();
    });
  }

  /** Something of the client's. */
  #said(chunk: Buffer): void {
    if (!this.#offered && this.#held === undefined) {
      this.#passing = chunk[chunk.length - 1] !== newline;
      this.#pass(chunk);
      return;
    }
    let bytes = chunk;
    if (this.#held !== undefined) {
      bytes = Buffer.concat([this.#held, chunk]);
      this.#held = undefined;
    }
    // What goes on lies between `from` and `at`.
    let from = 0;
    let at = 0;
    while (at < bytes.length) {
      const end = bytes.indexOf(newline, at);
      if (end === -1) break;
      const isCalls = !this.#passing && end - at <= mostHeldBytes && this.#calls.takes(bytes.toString('utf8', at, end));
      this.#passing = false;
      if (isCalls) {
        this.#pass(bytes.subarray(from, at));
        from = end + 1;
      }
      at = end + 1;
    }
    if (!this.#passing && bytes.length - at > mostHeldBytes) this.#passing = true;
    if (this.#passing) at = bytes.length;
    else if (at < bytes.length) this.#held = bytes.subarray(at);
    this.#pass(bytes.subarray(from, at));
    this.#calls.flush();
  }

  #pass(bytes: Uint8Array): void {
    if (bytes.length > 0 && !this.#closed && !this.#socket.write(bytes)) this.#balance();
  }

  /** A line of the daemon's. */
  #told(bytes: Buffer, start: number, end: number): void {
    if (bytes[start] !== exclamationMark) {
      // The bytes may be another line's after this.
      this.#lines.push(Buffer.from(bytes.subarray(start, end + 1)));
      return;
    }
    const text = bytes.toString('utf8', start, end);
    if (!text.startsWith(plainOfferMark)) return;
    this.#offered = true;
    this.#calls.offered(JSON.parse(text.slice(plainOfferMark.length)) as PlainOffer);
  }

  #tell(): void {
    const lines = this.#lines;
    if (lines.length === 0) return;
    this.#lines = [];
    const [first] = lines;
    this.#write(lines.length === 1 && first !== undefined ? first : Buffer.concat(lines));
  }

  #write(lines: string | Uint8Array): void {
    if (!process.stdout.write(lines)) this.#balance();
  }

  /** Who does not read is not read from: neither side's bytes pile up here. */
  #balance(): void {
    const clientReads = !process.stdout.writableNeedDrain;
    if (clientReads) this.#socket.resume();
    else this.#socket.pause();
    this.#calls.pause(!clientReads);
    if (this.#socket.writableNeedDrain || !this.#calls.ready) process.stdin.pause();
    else if (!this.#ended && !this.#closed) process.stdin.resume();
  }

  /** What it has asked is still answered, for as long as the daemon allows. */
  #clientEnded(): void {
    if (this.#ended) return;
    this.#ended = true;
    // The last line may lack its newline.
    if (this.#held !== undefined) this.#said(Buffer.from('\n'));
    this.#socket.end();
    if (this.#calls.pending > 0) setTimeout(() => this.#calls.close(), this.#calls.lingerMs).unref();
  }

  #endIfDone(): void {
    if (!this.#closed || this.#calls.pending > 0) return;
    this.#calls.close();
    this.#tellOver(this.#ended);
  }
}
