// `nagaya dead-letters list|show|replay|discard`: the events whose attempts were used up; look, correct the plugin, and
// send them again or let them go.
import type { Command } from 'commander';
import type { OperationResult } from '../../../protocol/operations.ts';
import { deadLetterHeadings, deadLetterRow, deadLetterStory } from '../views/dead-letter-view.ts';
import { type ExitCode, exitCodes, usageFailure } from '../failure.ts';
import { jsonArgument } from '../json-input.ts';
import { groups } from '../groups.ts';
import { examples, runs, wholeNumber } from '../invocation.ts';
import { plural } from '../views/quantity.ts';
import { printTable } from '../views/table.ts';
import { type Terminal, styled } from '../views/terminal.ts';

interface ListOptions {
  readonly lines: number;
  readonly after?: string;
}

interface PickOptions {
  readonly all?: boolean;
}

const pluginText = 'id of a loaded plugin with a service';

export function register(program: Command): void {
  const group = program
    .command('dead-letters')
    .helpGroup(groups.use)
    .description('look at the events whose attempts were used up, send them again or let them go')
    .addHelpText(
      'after',
      examples('nagaya dead-letters list example.greeter', 'nagaya dead-letters replay example.greeter --all'),
    );
  registerList(group);
  registerShow(group);
  registerReplay(group);
  registerDiscard(group);
}

function registerList(group: Command): void {
  group
    .command('list')
    .description('list the dead letters of a service, oldest first')
    .argument('<plugin>', pluginText)
    .option('-n, --lines <count>', 'how many at most', wholeNumber(1, 1000), 100)
    .option('--after <id>', 'only those behind this one')
    .addHelpText(
      'after',
      examples(
        'nagaya dead-letters list example.greeter',
        'nagaya dead-letters list example.greeter --json | jq -r .deadLetters[].id',
      ),
    )
    .action(
      runs<[string], ListOptions>(async ({ terminal, withDaemon }, { lines, after }, plugin) => {
        const read = await withDaemon((client) =>
          client.call('deadLetter.list', { plugin, limit: lines, ...(after === undefined ? {} : { after }) }),
        );
        terminal.answer(read, () => showList(terminal, plugin, read, after));
      }),
    );
}

function registerShow(group: Command): void {
  group
    .command('show')
    .description('tell how one event became a dead letter, and print the event')
    .argument('<plugin>', pluginText)
    .argument('<id>', 'id of a dead letter')
    .addHelpText('after', examples('nagaya dead-letters show example.greeter 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f'))
    .action(
      runs<[string, string]>(async ({ terminal, withDaemon }, _options, plugin, id) => {
        const { deadLetter } = await withDaemon((client) => client.call('deadLetter.show', { plugin, id }));
        terminal.answer(deadLetter, () => {
          terminal.lines(deadLetterStory(deadLetter));
          terminal.value(deadLetter.event);
        });
      }),
    );
}

function registerReplay(group: Command): void {
  group
    .command('replay')
    .description('publish dead letters again, each with its old correlation id')
    .argument('<plugin>', pluginText)
    .argument('[ids...]', 'ids of dead letters')
    .option('--all', 'every dead letter of the service, oldest first')
    .option(
      '--payload <json>',
      'publish one letter with this payload in place of its own; - reads it from standard input',
    )
    .addHelpText(
      'after',
      examples(
        'nagaya dead-letters replay example.greeter 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f',
        'nagaya dead-letters replay example.greeter --all',
        `nagaya dead-letters replay example.greeter 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f --payload '{"name":"Ada"}'`,
      ),
    )
    .action(
      runs<[string, string[]], PickOptions & { readonly payload?: string }>(
        async ({ terminal, withDaemon }, options, plugin, ids) => {
          const payload = await jsonArgument(options.payload, 'payload');
          const answer = await withDaemon((client) =>
            client.call('deadLetter.replay', {
              plugin,
              ...picked(ids, options, 'replay'),
              ...(payload === undefined ? {} : { payload }),
            }),
          );
          return showReplayed(terminal, answer);
        },
      ),
    );
}

function registerDiscard(group: Command): void {
  group
    .command('discard')
    .description('remove dead letters for good')
    .argument('<plugin>', pluginText)
    .argument('[ids...]', 'ids of dead letters')
    .option('--all', 'every dead letter of the service')
    .addHelpText(
      'after',
      examples(
        'nagaya dead-letters discard example.greeter 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f',
        'nagaya dead-letters discard example.greeter --all',
      ),
    )
    .action(
      runs<[string, string[]], PickOptions>(async ({ terminal, withDaemon }, options, plugin, ids) => {
        const answer = await withDaemon((client) =>
          client.call('deadLetter.discard', { plugin, ...picked(ids, options, 'discard') }),
        );
        terminal.answer(answer, () => terminal.line(`${plural(answer.discarded, 'dead letter')} discarded`));
      }),
    );
}

/** Everything at once is said in so many words: it cannot be taken back. */
function picked(ids: readonly string[], { all }: PickOptions, verb: string): { ids?: string[] } {
  if (ids.length > 0 && all === true) throw usageFailure('Ids and --all were given.', 'Give one of them.');
  if (ids.length === 0 && all !== true)
    throw usageFailure(
      `Which dead letters to ${verb} was not said.`,
      `Name them by their ids, or give --all to ${verb} every one.`,
    );
  return all === true ? {} : { ids: [...ids] };
}

function showList(
  terminal: Terminal,
  plugin: string,
  { deadLetters, total, evicted }: OperationResult<'deadLetter.list'>,
  after: string | undefined,
): void {
  if (deadLetters.length > 0) printTable(terminal, deadLetterHeadings, deadLetters.map(deadLetterRow));
  else terminal.note(total === 0 ? `${plugin} has no dead letters` : 'no more');
  if (deadLetters.length < total && after === undefined)
    terminal.note(`${String(deadLetters.length)} of ${String(total)} are shown`);
  if (evicted > 0)
    terminal.note(
      styled('yellow', `${plural(evicted, 'older one')} had to make room (limits.deadLetters, limits.deadLetterBytes)`),
    );
}

function showReplayed(terminal: Terminal, answer: OperationResult<'deadLetter.replay'>): ExitCode {
  const refused = answer.results.filter((result) => !result.accepted);
  terminal.answer(answer, () => {
    for (const result of refused) terminal.complain(styled('yellow', `${result.id}: `), result.error.message);
    terminal.line(
      `${plural(answer.results.length - refused.length, 'event')} queued again${refused.length > 0 ? `, ${String(refused.length)} refused` : ''}`,
    );
  });
  return refused.length > 0 ? exitCodes.refused : exitCodes.fine;
}
