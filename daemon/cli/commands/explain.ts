// `nagaya explain PLUGIN [--event ID]`: tells in sentences how a plugin is, what went wrong, why and what to do about
// it; or in order what became of one event. `nagaya explain RUNTIME/WORKER` tells the same of a worker.
import type { Command } from 'commander';
import type { Client } from '../../../protocol/client/client.ts';
import { type ExitCode, exitCodes } from '../failure.ts';
import { groups } from '../groups.ts';
import { examples, runs, wholeNumber } from '../invocation.ts';
import { addressOf, suggesting } from '../worker-address.ts';
import type { Terminal } from '../views/terminal.ts';
import { plural } from '../views/quantity.ts';
import { explanationLines } from '../views/explanation-view.ts';
import { eventStoryLines } from '../views/story-view.ts';

interface ExplainOptions {
  readonly event?: string;
  readonly lines: number;
}

export function register(program: Command): void {
  program
    .command('explain')
    .helpGroup(groups.see)
    .description(
      'tell in sentences what happened to a plugin or a worker, why, and what to do about it; or what became of one event',
    )
    .argument('<plugin>', 'id of a loaded plugin, or RUNTIME/WORKER')
    .option('--event <id>', 'only this event, by its id, or those of a correlation id')
    .option('-n, --lines <count>', 'how many entries and events at most', wholeNumber(1, 1000), 50)
    .addHelpText(
      'after',
      examples(
        'nagaya explain example.greeter',
        'nagaya explain example.greeter --event 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f',
        'nagaya explain backend-internal/0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f',
      ),
    )
    .action(
      runs<[string], ExplainOptions>(async ({ terminal, withDaemon }, { event, lines }, plugin) => {
        return await withDaemon(async (client) => {
          if (plugin.includes('/') && event === undefined) return await explainWorker(client, terminal, plugin);
          const story = await client.call('event.explain', {
            plugin,
            limit: lines,
            ...(event === undefined ? {} : { event }),
          });
          if (event === undefined) {
            terminal.answer(story, () => {
              terminal.lines(explanationLines(story.explanation));
              terminal.note(`every step in order: \`nagaya timeline ${plugin}\``);
            });
            return exitCodes.fine;
          }
          const known = [story.events, story.entries, story.deadLetters, story.open, story.commands].some(
            ({ length }) => length > 0,
          );
          terminal.answer(story, () => {
            terminal.lines(eventStoryLines(story));
            if (!known) terminal.note(unknownText(event, story.forgotten));
          });
          return known ? exitCodes.fine : exitCodes.failed;
        });
      }),
    );
}

async function explainWorker(client: Client, terminal: Terminal, text: string): Promise<ExitCode> {
  const address = addressOf(text, {});
  const told = await suggesting(client, address, () => client.call('worker.explain', address));
  terminal.answer(told, () => {
    terminal.lines(explanationLines(told.explanation));
    terminal.note(`all that was said: \`nagaya worker transcript ${text}\``);
  });
  return exitCodes.fine;
}

function unknownText(event: string, forgotten: number): string {
  const why =
    forgotten === 0
      ? 'it was not accepted here, as far as is remembered'
      : `it was not accepted here, as far as is remembered, or is among the ${plural(forgotten, 'older attempt')} that newer ones pushed out (limits.eventTrail)`;
  return `nothing is known of ${event}: ${why}`;
}
