// `nagaya sources [PLUGIN]` and its pause, resume and trigger: where the events of services come from.
import type { Command } from 'commander';
import type { SourceStatus } from '../../../protocol/operations/source.ts';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { sourceTable, stateOfSource } from '../views/source-view.ts';

const pluginText = 'id of a loaded plugin with a service';
const sourceText = 'name of one of its sources';

export function register(program: Command): void {
  const group = program
    .command('sources')
    .helpGroup(groups.use)
    .description('look at the sources of services, pause or resume one, or let a schedule be due now')
    .addHelpText('after', examples('nagaya sources list', 'nagaya sources pause example.webhooks github'));
  group
    .command('list', { isDefault: true })
    .description('list the sources of every service, or of one: state, counters, last error and next run')
    .argument('[plugin]', pluginText)
    .addHelpText(
      'after',
      examples('nagaya sources list', 'nagaya sources list example.webhooks --json | jq -r .sources[].url'),
    )
    .action(
      runs<[string | undefined]>(async ({ terminal, withDaemon }, _options, plugin) => {
        const answer = await withDaemon((client) => client.call('source.list', plugin === undefined ? {} : { plugin }));
        terminal.answer(answer, () => {
          if (answer.sources.length === 0)
            terminal.note(plugin === undefined ? 'no plugin declares a source' : `${plugin} declares no source`);
          else sourceTable(terminal, answer.sources);
        });
      }),
    );
  change(group, 'pause', 'take nothing from a source until it is resumed, also after a restart of the daemon');
  change(group, 'resume', 'take events from a paused source again');
  group
    .command('trigger')
    .description('let a schedule be due now; when it is due next stays the same')
    .argument('<plugin>', pluginText)
    .argument('<source>', sourceText)
    .addHelpText('after', examples('nagaya sources trigger example.morning report'))
    .action(
      runs<[string, string]>(async ({ terminal, withDaemon }, _options, plugin, source) => {
        const answer = await withDaemon((client) => client.call('source.trigger', { plugin, source }));
        terminal.answer(answer, () => terminal.line(`queued ${answer.eventId}`));
      }),
    );
}

function change(group: Command, verb: 'pause' | 'resume', description: string): void {
  group
    .command(verb)
    .description(description)
    .argument('<plugin>', pluginText)
    .argument('<source>', sourceText)
    .addHelpText('after', examples(`nagaya sources ${verb} example.webhooks github`))
    .action(
      runs<[string, string]>(async ({ terminal, withDaemon }, _options, plugin, source) => {
        const answer: SourceStatus = await withDaemon((client) => client.call(`source.${verb}`, { plugin, source }));
        terminal.answer(answer, () => terminal.line(`${plugin} ${source} is `, stateOfSource(answer.state)));
      }),
    );
}
