// `nagaya unload PLUGIN`: stops what runs of a plugin and forgets it.
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { plural } from '../views/quantity.ts';

export function register(program: Command): void {
  program
    .command('unload')
    .helpGroup(groups.plugins)
    .description("stop a plugin's service and tools and forget it, also for the next start of the daemon")
    .argument('<plugin>', 'id of a loaded plugin')
    .addHelpText('after', examples('nagaya unload example.greeter'))
    .action(
      runs<[string]>(async ({ terminal, withDaemon }, _options, plugin) => {
        const answer = await withDaemon((client) => client.call('plugin.unload', { plugin }));
        terminal.answer(answer, () =>
          terminal.line(
            `${answer.plugin.id} is unloaded; ${answer.discarded === 0 ? 'no event was discarded' : `${plural(answer.discarded, 'event')} that waited ${answer.discarded === 1 ? 'was' : 'were'} discarded`}`,
          ),
        );
      }),
    );
}
