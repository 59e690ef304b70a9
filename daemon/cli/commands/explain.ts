// `nagaya explain PLUGIN [--event ID]`: tells in order and in plain words what happened to a plugin, or to one event.
import type { Command } from 'commander';
import type { Client } from '../../../protocol/client/client.ts';
import { exitCodes } from '../failure.ts';
import { groups } from '../groups.ts';
import { examples, runs, wholeNumber } from '../invocation.ts';
import { plural } from '../views/quantity.ts';
import { lifecyclePiece } from '../views/service-view.ts';
import { eventStoryLines, pluginStoryLines } from '../views/story-view.ts';
import { type Piece, styled } from '../views/terminal.ts';

interface ExplainOptions {
  readonly event?: string;
  readonly lines: number;
}

export function register(program: Command): void {
  program
    .command('explain')
    .helpGroup(groups.see)
    .description('tell in plain words what happened to a plugin, or to one event')
    .argument('<plugin>', 'id of a loaded plugin')
    .option('--event <id>', 'only this event, by its id, or those of a correlation id')
    .option('-n, --lines <count>', 'how many entries and events at most', wholeNumber(1, 1000), 50)
    .addHelpText(
      'after',
      examples(
        'nagaya explain example.greeter',
        'nagaya explain example.greeter --event 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f',
      ),
    )
    .action(
      runs<[string], ExplainOptions>(async ({ terminal, withDaemon }, { event, lines }, plugin) => {
        return await withDaemon(async (client) => {
          const story = await client.call('event.explain', {
            plugin,
            limit: lines,
            ...(event === undefined ? {} : { event }),
          });
          const known = [story.events, story.entries, story.deadLetters, story.open, story.commands].some(
            ({ length }) => length > 0,
          );
          const now = terminal.json || event !== undefined ? undefined : await present(client, plugin);
          terminal.answer(story, () => {
            terminal.lines(event === undefined ? pluginStoryLines(story) : eventStoryLines(story));
            if (now !== undefined) terminal.line(...now);
            if (!known)
              terminal.note(event === undefined ? 'nothing has happened yet' : unknownText(event, story.forgotten));
          });
          return known || event === undefined ? exitCodes.fine : exitCodes.failed;
        });
      }),
    );
}

function unknownText(event: string, forgotten: number): string {
  const why =
    forgotten === 0
      ? 'it was not accepted here, as far as is remembered'
      : `it was not accepted here, as far as is remembered, or is among the ${plural(forgotten, 'older attempt')} that newer ones pushed out (limits.eventTrail)`;
  return `nothing is known of ${event}: ${why}`;
}

/** How things stand after all that. */
async function present(client: Client, plugin: string): Promise<Piece[] | undefined> {
  const { plugin: summary } = await client.call('plugin.show', { plugin });
  if (!summary.hasService) return undefined;
  const { lifecycle, incarnation, queue, retrying, deadLetters, restart } = await client.call('service.status', {
    plugin,
  });
  const more = [
    ...(lifecycle === 'failed' && restart?.pending === false
      ? [`given up: start it again with \`nagaya start ${plugin}\``]
      : []),
    ...(restart?.pending === true ? ['a restart is pending'] : []),
    ...(queue.depth > 0 ? [`${plural(queue.depth, 'event')} waiting`] : []),
    ...(retrying.count > 0 ? [`${String(retrying.count)} of them for another attempt`] : []),
    ...(deadLetters.count > 0 ? [`${plural(deadLetters.count, 'dead letter')}`] : []),
  ];
  return [
    styled('bold', 'now  '),
    lifecyclePiece(lifecycle),
    ` (incarnation ${String(incarnation)})${more.map((text) => `, ${text}`).join('')}`,
  ];
}
