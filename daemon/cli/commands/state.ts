// `nagaya state PLUGIN`: what a service keeps in ctx.state.
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { bytesText } from '../views/quantity.ts';
import { styled } from '../views/terminal.ts';

export function register(program: Command): void {
  program
    .command('state')
    .helpGroup(groups.see)
    .description('show what a service keeps in ctx.state, as of the last event that was handled')
    .argument('<plugin>', 'id of a loaded plugin')
    .addHelpText(
      'after',
      examples('nagaya state example.greeter', 'nagaya state example.greeter --json | jq .state.count'),
    )
    .action(
      runs<[string]>(async ({ terminal, withDaemon }, _options, plugin) => {
        const kept = await withDaemon((client) => client.call('service.state', { plugin }));
        terminal.answer(kept, () => {
          for (const [key, value] of Object.entries(kept.state))
            terminal.line(styled('bold', key), `  ${JSON.stringify(value)}`);
          terminal.note(
            Object.keys(kept.state).length === 0 ? 'nothing is kept in ctx.state' : `${bytesText(kept.bytes)} in all`,
          );
        });
      }),
    );
}
