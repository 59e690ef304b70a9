// The one way to a person's screen. Whatever a plugin wrote passes `printable` here, so that no text of a plugin can
// colour, move or forge what an operator sees; data for programs goes out as JSON beside it.
import { stripVTControlCharacters } from 'node:util';

const codes = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33', cyan: '36' } as const;
export type Style = keyof typeof codes;

export interface Styled {
  readonly text: string;
  readonly style: Style;
}
export type Piece = string | Styled;

export const styled = (style: Style, text: string): Styled => ({ text, style });

/** Everything that could act on a terminal: escape sequences, control characters, reordering of text. */
const acting = /(?![\n\t])[\p{Cc}\p{Bidi_Control}]/gu;

export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(acting, '');
}

/** A text that may not begin a line of its own. */
export function oneLine(text: string): string {
  return printable(text).replaceAll(/\s*[\n\t]\s*/g, ' ');
}

export const pieceText = (piece: Piece): string => oneLine(typeof piece === 'string' ? piece : piece.text);

const escapeUnicode = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** JSON may hold C1 controls as they are; escaped they mean the same and do nothing to a terminal. */
function jsonText(value: unknown, indent?: number): string {
  return (JSON.stringify(value, null, indent) ?? 'null').replace(/(?!\n)[\p{Cc}\p{Bidi_Control}]/gu, escapeUnicode);
}

export interface ScreenStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

export function wantsColor(stream: ScreenStream, env: Environment): boolean {
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined && forced !== '') return forced !== '0' && forced !== 'false';
  if (env['NO_COLOR']) return false;
  return stream.isTTY === true && env['TERM'] !== 'dumb';
}

export interface TerminalOptions {
  readonly out: ScreenStream;
  readonly err: ScreenStream;
  readonly env: Environment;
  /** What is meant for people is left out. */
  readonly json: boolean;
}

export class Terminal {
  readonly json: boolean;
  readonly #out: ScreenStream;
  readonly #err: ScreenStream;
  readonly #outColor: boolean;
  readonly #errColor: boolean;

  constructor(options: TerminalOptions) {
    this.json = options.json;
    this.#out = options.out;
    this.#err = options.err;
    this.#outColor = wantsColor(options.out, options.env);
    this.#errColor = wantsColor(options.err, options.env);
  }

  /** Whether what was written can be redrawn. */
  get interactive(): boolean {
    return this.#out.isTTY === true;
  }

  get columns(): number | undefined {
    return this.interactive ? (this.#out.columns ?? 80) : undefined;
  }

  get rows(): number {
    return this.#out.rows ?? 24;
  }

  /** The command's answer: one document for programs, a view for people. */
  answer(value: unknown, view: () => void): void {
    if (this.json) this.document(value);
    else view();
  }

  document(value: unknown): void {
    this.#out.write(`${jsonText(value, this.interactive ? 2 : undefined)}\n`);
  }

  /** One record of a stream. */
  record(value: unknown): void {
    this.#out.write(`${jsonText(value)}\n`);
  }

  /** JSON as a person reads it: the output of a handler or a tool. */
  value(value: unknown): void {
    this.#out.write(`${jsonText(value, 2)}\n`);
  }

  line(...pieces: readonly Piece[]): void {
    this.#out.write(`${paint(pieces, this.#outColor)}\n`);
  }

  lines(lines: readonly (readonly Piece[])[]): void {
    for (const line of lines) this.line(...line);
  }

  /** The head of a line whose rest comes in parts. */
  head(...pieces: readonly Piece[]): void {
    this.#out.write(`${paint(pieces, this.#outColor)} `);
  }

  /** A piece of a text that comes in pieces; it may begin lines of its own. */
  part(text: string): void {
    this.#out.write(printable(text));
  }

  /** Text of this program itself, as it is: scripts, schemas, help. */
  text(text: string): void {
    this.#out.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  /** A remark beside the data. */
  note(...pieces: readonly Piece[]): void {
    if (!this.json) this.complain(...pieces);
  }

  complain(...pieces: readonly Piece[]): void {
    this.#err.write(`${paint(pieces, this.#errColor)}\n`);
  }

  /** Whether remarks can be drawn over. */
  get remarksInteractive(): boolean {
    return this.#err.isTTY === true && !this.json;
  }

  /** Draws over the last remark of this kind, cut to the screen; an empty one leaves nothing behind. */
  redrawRemark(...pieces: readonly Piece[]): void {
    this.#err.write(`\r${paint(cut(pieces, (this.#err.columns ?? 80) - 1), this.#errColor)}\u001b[K`);
  }

  complainRecord(value: unknown): void {
    this.#err.write(`${jsonText(value)}\n`);
  }

  /** Replaces the last frame by the next, cut to the screen so that no line wraps. */
  redraw(lines: readonly (readonly Piece[])[], lastHeight: number): number {
    const width = this.columns ?? 80;
    const room = Math.max(1, this.rows - 1);
    const shown =
      lines.length > room ? [...lines.slice(0, room - 1), [`… ${String(lines.length - room + 1)} more lines`]] : lines;
    const back = lastHeight === 0 ? '' : `\u001b[${String(lastHeight)}A`;
    const frame = shown.map((line) => `${paint(cut(line, width), this.#outColor)}\u001b[K\n`).join('');
    this.#out.write(`${back}${frame}\u001b[J`);
    return shown.length;
  }

  showCursor(shown: boolean): void {
    if (this.interactive) this.#out.write(shown ? '\u001b[?25h' : '\u001b[?25l');
  }
}

function paint(pieces: readonly Piece[], color: boolean): string {
  return pieces
    .map((piece) => {
      const text = pieceText(piece);
      return typeof piece === 'string' || !color || text === ''
        ? text
        : `\u001b[${codes[piece.style]}m${text}\u001b[0m`;
    })
    .join('')
    .trimEnd();
}

/** As much of a line as fits. */
export function cut(pieces: readonly Piece[], width: number): Piece[] {
  const kept: Piece[] = [];
  let room = width;
  for (const piece of pieces) {
    const text = [...pieceText(piece)];
    if (text.length > room) {
      const part = room < 1 ? '' : `${text.slice(0, room - 1).join('')}…`;
      kept.push(typeof piece === 'string' ? part : { ...piece, text: part });
      return kept;
    }
    room -= text.length;
    kept.push(piece);
  }
  return kept;
}
