// `nagaya unload PLUGIN`: stops what runs of a plugin and forgets it.
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { goneText } from '../views/service-view.ts';

export function register(program: Command): void {
  program
    .command('unload')
    .helpGroup(groups.plugins)
    .description("stop a plugin's service and tools and forget it, also for the next start of the daemon")
    .argument('<plugin>', 'id of a loaded plugin')
    .option('--discard', 'drop its queue instead of keeping what is on disk for the next load')
    .addHelpText('after', examples('nagaya unload example.greeter', 'nagaya unload example.greeter --discard'))
    .action(
      runs<[string], { discard?: boolean }>(async ({ terminal, withDaemon }, options, plugin) => {
        const answer = await withDaemon((client) =>
          client.call('plugin.unload', { plugin, discard: options.discard === true }),
        );
        terminal.answer(answer, () => terminal.line(`${answer.plugin.id} is unloaded; ${goneText(answer)}`));
      }),
    );
}
