// `nagaya reload PLUGIN`: reads a plugin again and hands its running service over between two events.
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { keptText } from '../views/service-view.ts';
import { styled } from '../views/terminal.ts';

export function register(program: Command): void {
  program
    .command('reload')
    .helpGroup(groups.plugins)
    .description(
      'read a plugin again and hand its service over to the new code, without losing an event; where that does not start, the old goes on; a service that has failed is started',
    )
    .argument('<plugin>', 'id of a loaded plugin')
    .addHelpText('after', examples('nagaya reload example.greeter'))
    .action(
      runs<[string]>(async ({ terminal, withDaemon }, _options, id) => {
        const answer = await withDaemon((client) => client.call('plugin.reload', { plugin: id }));
        const { plugin, incarnation } = answer;
        terminal.answer(answer, () => {
          terminal.line(
            `${plugin.id} ${plugin.version} is reloaded${plugin.lifecycle === 'running' ? `; incarnation ${String(incarnation)} has taken over, ${keptText(answer, 'new incarnation')}` : ''}`,
          );
          for (const note of plugin.notes) terminal.note(styled('yellow', note));
          if (plugin.hasService && plugin.lifecycle !== 'running')
            terminal.note(`its service is ${plugin.lifecycle ?? 'ready'}: the new code comes with its next start`);
        });
      }),
    );
}
