// A transcript on a screen: whole items, and one that is still being said as it comes. What a worker says is set in, so
// that no line of it can pass for the head of another item.
import type { ItemStatus, TranscriptItem, WorkerEvent } from '../../../protocol/runtime.ts';
import { timeText } from './quantity.ts';
import { type Piece, type Style, type Terminal, styled } from './terminal.ts';
import { PrintedItems } from '../printed-items.ts';
import { addressText } from '../worker-address.ts';
import { statePiece } from './worker-view.ts';

type Role = TranscriptItem['role'];

const roleStyles: Readonly<Record<Role, Style>> = { user: 'bold', system: 'cyan', worker: 'green', host: 'yellow' };
const longestRole = 6;
const setIn = '    ';

export class TranscriptScreen {
  readonly #terminal: Terminal;
  readonly #told = new PrintedItems();
  /** The item whose last line is not ended yet. */
  #open: number | undefined;
  /** Ends of lines that are printed when something follows them. */
  #breaks = '';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  event(event: WorkerEvent): void {
    switch (event.type) {
      case 'snapshot':
        this.#line(
          styled('bold', addressText(event.worker)),
          `  ${event.worker.displayName}  `,
          statePiece(event.worker.state),
        );
        for (const item of event.items) this.item(item);
        return;
      case 'item':
        this.item(event.item);
        return;
      case 'output':
        this.#say(event.sequence, 'worker', event.at, this.#told.more(event.sequence, event.offset, event.text));
        return;
      case 'end':
        // Something else was printed since: only what is remarkable is worth a line of its own.
        if (this.#open !== event.sequence && remarksOn(event.status, event.truncated) !== '')
          this.#head(event.sequence, 'worker', event.at);
        this.#end(event.sequence, event.status, event.truncated);
        return;
      case 'state':
        this.#line(styled('dim', `${timeText(event.at)} `), statePiece(event.state));
        return;
      case 'diagnostic':
        this.close();
        this.#terminal.note(styled('yellow', event.code), `: ${event.message}`);
    }
  }

  item(item: TranscriptItem): void {
    const { sequence, role, createdAt, status, truncated = false } = item;
    const begun = this.#told.has(sequence);
    const text = this.#told.rest(item);
    if (!begun && text === '') this.#head(sequence, role, createdAt);
    else this.#say(sequence, role, createdAt, text);
    if (status !== 'streaming') this.#end(sequence, status, truncated);
  }

  /** What is printed next begins a line of its own. */
  close(): void {
    if (this.#open !== undefined) this.#terminal.part('\n');
    this.#open = undefined;
    this.#breaks = '';
  }

  #say(sequence: number, role: Role, at: string, text: string): void {
    if (text === '') return;
    if (this.#open !== sequence) this.#head(sequence, role, at);
    const whole = `${this.#breaks}${text}`;
    const body = whole.replace(/\n+$/, '');
    this.#breaks = whole.slice(body.length);
    this.#terminal.part(body.replaceAll('\n', `\n${setIn}`));
  }

  #head(sequence: number, role: Role, at: string): void {
    this.close();
    this.#terminal.head(
      styled('dim', `${timeText(at)} #${String(sequence)} `),
      styled(roleStyles[role], role.padStart(longestRole)),
    );
    this.#open = sequence;
  }

  #end(sequence: number, status: ItemStatus | undefined, truncated: boolean): void {
    if (this.#open !== sequence) return;
    this.#terminal.part(remarksOn(status, truncated));
    this.close();
  }

  #line(...pieces: readonly Piece[]): void {
    this.close();
    this.#terminal.line(...pieces);
  }
}

function remarksOn(status: ItemStatus | undefined, truncated: boolean): string {
  const remarks = [
    ...(status === 'partial' ? ['not finished'] : []),
    ...(truncated ? ['cut: it said more than an item may hold'] : []),
  ];
  return remarks.length === 0 ? '' : ` (${remarks.join('; ')})`;
}
