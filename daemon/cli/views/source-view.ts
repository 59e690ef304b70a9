// Sources as rows for a person.
import type { SourceStatus } from '../../../protocol/operations/source.ts';
import { timeText } from './quantity.ts';
import { printTable } from './table.ts';
import { type Piece, type Terminal, styled } from './terminal.ts';

const colours = { open: 'green', connecting: 'yellow', retrying: 'yellow', paused: 'dim', faulty: 'red' } as const;

export const stateOfSource = (state: SourceStatus['state']): Piece => styled(colours[state], state);

export function sourceTable(terminal: Terminal, sources: readonly SourceStatus[]): void {
  printTable(
    terminal,
    ['PLUGIN', 'SOURCE', 'TYPE', 'STATE', 'ACCEPTED', 'REFUSED', 'LAST EVENT', 'WHERE OR WHEN'],
    sources.map(({ plugin, name, type, state, counters, lastEventAt, url, nextAt }) => [
      plugin,
      name,
      type,
      stateOfSource(state),
      String(counters.accepted),
      String(counters.refused),
      lastEventAt === null ? '-' : timeText(lastEventAt),
      url ?? (nextAt === null || nextAt === undefined ? '-' : timeText(nextAt)),
    ]),
  );
  for (const { plugin, name, state, lastError } of sources)
    if (lastError !== null && (state === 'faulty' || state === 'retrying'))
      terminal.note(styled(colours[state], `${plugin} ${name}: `), lastError.message);
}
