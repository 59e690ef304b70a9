// `nagaya stop PLUGIN`: drains a service's queue and stops it.
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { lifecycleLine } from '../views/service-view.ts';

export function register(program: Command): void {
  program
    .command('stop')
    .helpGroup(groups.plugins)
    .description('drain a service\'s queue and stop it')
    .argument('<plugin>', 'id of a loaded plugin with a service')
    .option('--now', 'discard what is queued instead of handling it')
    .addHelpText('after', examples('nagaya stop example.greeter', 'nagaya stop example.greeter --now'))
    .action(
      runs<[string], { now?: boolean }>(async ({ terminal, withDaemon }, options, plugin) => {
        const status = await withDaemon((client) => client.call('service.stop', { plugin, now: options.now === true }));
        terminal.answer(status, () => terminal.line(...lifecycleLine(status)));
      }),
    );
}
