// How far a call has come, as one line on the terminal that is drawn over and gone when the call is answered.
import type { ProgressNotification } from '../../../protocol/operations/tool.ts';
import { type Piece, type Terminal, styled } from './terminal.ts';

const cells = 24;

export class ProgressBar {
  /** Nobody sees it where remarks go to a file or a program. */
  readonly wanted: boolean;
  readonly #terminal: Terminal;
  #shown = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    this.wanted = terminal.remarksInteractive;
  }

  show(progress: ProgressNotification): void {
    if (!this.wanted) return;
    this.#shown = true;
    this.#terminal.redrawRemark(...progressLine(progress));
  }

  clear(): void {
    if (this.#shown) this.#terminal.redrawRemark();
    this.#shown = false;
  }
}

export function progressLine({ done, total, message }: Omit<ProgressNotification, 'callId'>): Piece[] {
  const words = message === undefined ? [] : [`  ${message}`];
  if (total === undefined || total <= 0) return [styled('cyan', `… ${amountText(done)}`), ...words];
  const share = Math.min(1, done / total);
  const full = Math.round(share * cells);
  return [
    styled('cyan', '█'.repeat(full)),
    styled('dim', '░'.repeat(cells - full)),
    ` ${String(Math.floor(share * 100))}%  ${amountText(done)}/${amountText(total)}`,
    ...words,
  ];
}

const amountText = (amount: number): string => String(Number(amount.toFixed(2)));
