// `nagaya restart PLUGIN`: stops a service as `stop` does and starts it again.
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { lifecycleLine } from '../views/service-view.ts';

export function register(program: Command): void {
  program
    .command('restart')
    .helpGroup(groups.plugins)
    .description('stop a service and start it again in a new cell')
    .argument('<plugin>', 'id of a loaded plugin with a service')
    .addHelpText('after', examples('nagaya restart example.greeter'))
    .action(
      runs<[string]>(async ({ terminal, withDaemon }, _options, plugin) => {
        const status = await withDaemon((client) => client.call('service.restart', { plugin }));
        terminal.answer(status, () => terminal.line(...lifecycleLine(status)));
      }),
    );
}
