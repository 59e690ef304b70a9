// `nagaya status [PLUGIN]`: the daemon and its services at a glance, or everything the host knows of one service.
import type { Command } from 'commander';
import { daemonLines } from '../views/daemon-view.ts';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { serviceDetail, serviceHeadings, serviceRow } from '../views/service-view.ts';
import { printTable } from '../views/table.ts';

export function register(program: Command): void {
  program
    .command('status')
    .helpGroup(groups.see)
    .description('show the daemon and its services, or one service in full')
    .argument('[plugin]', 'id of a loaded plugin with a service')
    .option('--ask', "also wait for the plugin's own status()")
    .addHelpText(
      'after',
      examples('nagaya status', 'nagaya status example.greeter --ask', 'nagaya status --json | jq .services[].queue'),
    )
    .action(
      runs<[string | undefined], { ask?: boolean }>(async ({ terminal, withDaemon }, options, plugin) => {
        await withDaemon(async (client) => {
          if (plugin !== undefined) {
            const status = await client.call('service.status', { plugin, wait: options.ask === true });
            terminal.answer(status, () => terminal.lines(serviceDetail(status)));
            return;
          }
          const [daemon, { services }] = await Promise.all([
            client.call('daemon.status', {}),
            client.call('service.list', {}),
          ]);
          terminal.answer({ daemon, services }, () => {
            terminal.lines(daemonLines(daemon));
            terminal.line();
            if (services.length === 0) terminal.note('no services; load a plugin with `nagaya load DIR --start`');
            else printTable(terminal, serviceHeadings, services.map(serviceRow));
          });
        });
      }),
    );
}
