// `nagaya state PLUGIN`: what a service keeps in ctx.state; `nagaya worker state WORKER` shows a worker's.
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { showState } from '../views/state-view.ts';

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
        showState(terminal, kept);
      }),
    );
}
