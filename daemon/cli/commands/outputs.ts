// `nagaya outputs list|show|retry|discard`: where services send to, what waits to be delivered, and what could not be.
import type { Command } from 'commander';
import type { OperationResult } from '../../../protocol/operations.ts';
import type { OutputStatus } from '../../../protocol/operations/output.ts';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { timeText, plural } from '../views/quantity.ts';
import { printTable } from '../views/table.ts';
import { type Terminal, styled } from '../views/terminal.ts';

const pluginText = 'id of a loaded plugin with a service';
const outputText = 'name of one of its outputs';

export function register(program: Command): void {
  const group = program
    .command('outputs')
    .helpGroup(groups.use)
    .description('look at where services send to, and send again or discard what could not be delivered')
    .addHelpText('after', examples('nagaya outputs list', 'nagaya outputs retry example.greeter notify'));
  registerList(group);
  registerShow(group);
  registerRetry(group);
  registerDiscard(group);
}

function registerList(group: Command): void {
  group
    .command('list', { isDefault: true })
    .description('list the outputs of all services, or of one')
    .argument('[plugin]', pluginText)
    .addHelpText('after', examples('nagaya outputs list', 'nagaya outputs list example.greeter --json'))
    .action(
      runs<[string | undefined]>(async ({ terminal, withDaemon }, _options, plugin) => {
        const listed = await withDaemon((client) => client.call('output.list', plugin === undefined ? {} : { plugin }));
        terminal.answer(listed, () => {
          if (listed.outputs.length === 0) terminal.note('no service declares an output');
          else printTable(terminal, headings, listed.outputs.map(row));
        });
      }),
    );
}

const headings = ['PLUGIN', 'OUTPUT', 'TYPE', 'STATE', 'PENDING', 'SENT', 'FAILED', 'DEAD', 'LAST ERROR'];

const row = (output: OutputStatus): string[] => [
  output.plugin,
  output.name,
  output.type,
  output.state,
  String(output.pending),
  String(output.sent),
  String(output.failed),
  String(output.deadLetters),
  output.lastError?.message ?? '',
];

function registerShow(group: Command): void {
  group
    .command('show')
    .description('show one output with its commands that wait and those that could not be delivered')
    .argument('<plugin>', pluginText)
    .argument('<output>', outputText)
    .addHelpText('after', examples('nagaya outputs show example.greeter notify'))
    .action(
      runs<[string, string]>(async ({ terminal, withDaemon }, _options, plugin, output) => {
        const shown = await withDaemon((client) => client.call('output.show', { plugin, output }));
        terminal.answer(shown, () => show(terminal, shown));
      }),
    );
}

function show(terminal: Terminal, { output, pending, deadLetters }: OperationResult<'output.show'>): void {
  printTable(terminal, headings, [row(output)]);
  for (const { id, attempts, nextAt, error } of pending)
    terminal.line(
      styled('bold', id),
      `  ${plural(attempts, 'attempt')}${nextAt === null ? '' : `; the next one at ${timeText(nextAt)}`}`,
      error === null ? '' : `; ${error.code}: ${error.message}`,
    );
  for (const { id, reason, attempts, deadAt, error } of deadLetters)
    terminal.line(
      styled('red', id),
      `  ${reason} at ${timeText(deadAt)} after ${plural(attempts, 'attempt')}; ${error.code}: ${error.message}`,
    );
}

function registerRetry(group: Command): void {
  group
    .command('retry')
    .description('send what could not be delivered again, and try at once what waits for its next attempt')
    .argument('<plugin>', pluginText)
    .argument('<output>', outputText)
    .argument('[ids...]', 'ids of commands; all where none is given')
    .addHelpText('after', examples('nagaya outputs retry example.greeter notify'))
    .action(
      runs<[string, string, string[]]>(async ({ terminal, withDaemon }, _options, plugin, output, ids) => {
        const done = await withDaemon((client) =>
          client.call('output.retry', { plugin, output, ...(ids.length === 0 ? {} : { ids }) }),
        );
        terminal.answer(done, () => terminal.line(`${plural(done.retried, 'command is', 'commands are')} sent again`));
      }),
    );
}

function registerDiscard(group: Command): void {
  group
    .command('discard')
    .description('remove commands for good: those that could not be delivered, or those that are named')
    .argument('<plugin>', pluginText)
    .argument('<output>', outputText)
    .argument('[ids...]', 'ids of commands; all dead letters where none is given')
    .addHelpText('after', examples('nagaya outputs discard example.greeter notify'))
    .action(
      runs<[string, string, string[]]>(async ({ terminal, withDaemon }, _options, plugin, output, ids) => {
        const done = await withDaemon((client) =>
          client.call('output.discard', { plugin, output, ...(ids.length === 0 ? {} : { ids }) }),
        );
        terminal.answer(done, () => terminal.line(`${plural(done.discarded, 'command is', 'commands are')} discarded`));
      }),
    );
}
