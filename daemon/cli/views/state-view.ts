// What a service or a worker keeps in ctx.state, a key a line.
import type { OperationResult } from '../../../protocol/operations.ts';
import { bytesText } from './quantity.ts';
import { type Terminal, styled } from './terminal.ts';

export function showState(terminal: Terminal, kept: OperationResult<'service.state'>): void {
  terminal.answer(kept, () => {
    for (const [key, value] of Object.entries(kept.state))
      terminal.line(styled('bold', key), `  ${JSON.stringify(value)}`);
    terminal.note(
      Object.keys(kept.state).length === 0 ? 'nothing is kept in ctx.state' : `${bytesText(kept.bytes)} in all`,
    );
  });
}
