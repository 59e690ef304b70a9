// `nagaya start PLUGIN`: starts a service and answers once it runs.
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { lifecycleLine } from '../views/service-view.ts';

export function register(program: Command): void {
  program
    .command('start')
    .helpGroup(groups.plugins)
    .description('start a service; answers once it runs, or with what its start ended in')
    .argument('<plugin>', 'id of a loaded plugin with a service')
    .addHelpText('after', examples('nagaya start example.greeter'))
    .action(
      runs<[string]>(async ({ terminal, withDaemon }, _options, plugin) => {
        const status = await withDaemon((client) => client.call('service.start', { plugin }));
        terminal.answer(status, () => terminal.line(...lifecycleLine(status)));
      }),
    );
}
