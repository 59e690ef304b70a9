// `nagaya restart PLUGIN`: starts a service again in a new cell, with its queue.
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { keptText, lifecycleLine } from '../views/service-view.ts';

export function register(program: Command): void {
  program
    .command('restart')
    .helpGroup(groups.plugins)
    .description(
      'start a service again in a new cell once the event that is executing has ended; its queue is kept; plugin.json is not read again, which is what `reload` does',
    )
    .argument('<plugin>', 'id of a loaded plugin with a service')
    .addHelpText('after', examples('nagaya restart example.greeter'))
    .action(
      runs<[string]>(async ({ terminal, withDaemon }, _options, plugin) => {
        const answer = await withDaemon((client) => client.call('service.restart', { plugin }));
        terminal.answer(answer, () => {
          terminal.line(...lifecycleLine(answer), `; ${keptText(answer, 'new incarnation')}`);
          terminal.note(`plugin.json was not read again; \`nagaya reload ${plugin}\` does that`);
        });
      }),
    );
}
