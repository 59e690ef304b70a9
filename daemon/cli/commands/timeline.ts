// `nagaya timeline PLUGIN`: what happened to a plugin, in order.
import type { Command } from 'commander';
import type { TimelineEntry } from '../../../protocol/operations/telemetry.ts';
import { groups } from '../groups.ts';
import { examples, runs, wholeNumber } from '../invocation.ts';
import { timeText } from '../views/quantity.ts';
import { type Piece, styled } from '../views/terminal.ts';
import { idsText } from '../views/event-ids.ts';

const levelStyles = { info: 'cyan', warn: 'yellow', error: 'red' } as const;

export function register(program: Command): void {
  program
    .command('timeline')
    .helpGroup(groups.see)
    .description('tell what happened to a plugin, in order')
    .argument('<plugin>', 'id of a loaded plugin')
    .option('-n, --lines <count>', 'how many entries at most', wholeNumber(1, 1000), 200)
    .option('--after <sequence>', 'only what came after this entry', wholeNumber(0, Number.MAX_SAFE_INTEGER), 0)
    .addHelpText(
      'after',
      examples('nagaya timeline example.greeter', 'nagaya timeline example.greeter --after 120 --json'),
    )
    .action(
      runs<[string], { lines: number; after: number }>(async ({ terminal, withDaemon }, options, plugin) => {
        const read = await withDaemon((client) =>
          client.call('timeline.read', { plugin, after: options.after, limit: options.lines }),
        );
        terminal.answer(read, () => {
          for (const entry of read.entries) terminal.line(...entryLine(entry));
          if (read.entries.length === 0) terminal.note('nothing has been recorded');
        });
      }),
    );
}

function entryLine({
  sequence,
  at,
  level,
  event,
  message,
  incarnation,
  eventId,
  correlationId,
}: TimelineEntry): Piece[] {
  return [
    styled('dim', `${String(sequence).padStart(5)} ${timeText(at)} #${String(incarnation)} `),
    styled(levelStyles[level], event),
    `  ${message}`,
    styled('dim', idsText(eventId, correlationId, '  ')),
  ];
}
