// `nagaya tools [PLUGIN]`: the tools there are, and for one plugin also what they take.
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { durationText } from '../views/quantity.ts';
import { printTable } from '../views/table.ts';
import { styled } from '../views/terminal.ts';

export function register(program: Command): void {
  program
    .command('tools')
    .helpGroup(groups.use)
    .description('list the tools of every plugin, or those of one with their schemas')
    .argument('[plugin]', 'id of a loaded plugin')
    .addHelpText('after', examples('nagaya tools', 'nagaya tools example.primes'))
    .action(
      runs<[string | undefined]>(async ({ terminal, withDaemon }, _options, plugin) => {
        const { tools } = await withDaemon((client) =>
          client.call('tool.list', plugin === undefined ? {} : { plugin }),
        );
        terminal.answer({ tools }, () => {
          if (tools.length === 0) {
            terminal.note(plugin === undefined ? 'no plugin has tools' : `${plugin} has no tools`);
          } else if (plugin === undefined) {
            printTable(
              terminal,
              ['PLUGIN', 'TOOL', 'ISOLATION', 'TIMEOUT', 'DESCRIPTION'],
              tools.map((tool) => [
                tool.plugin,
                tool.name,
                tool.isolation,
                durationText(tool.timeoutMs),
                tool.description,
              ]),
            );
          } else {
            for (const tool of tools) {
              terminal.line(styled('bold', tool.name), `  ${tool.isolation}, at most ${durationText(tool.timeoutMs)}`);
              if (tool.description !== '') terminal.line('  ', tool.description);
              terminal.line('  ', styled('dim', 'input   '), JSON.stringify(tool.inputSchema));
              terminal.line('  ', styled('dim', 'output  '), JSON.stringify(tool.outputSchema));
            }
          }
        });
      }),
    );
}
