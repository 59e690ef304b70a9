// `nagaya load DIR`: makes a plugin known to the daemon, and starts it where asked.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';

export function register(program: Command): void {
  program
    .command('load')
    .helpGroup(groups.plugins)
    .description('load a plugin; nothing of it runs until it is started or called')
    .argument('<folder>', 'folder that holds plugin.json')
    .option('--start', 'start its service as well')
    .addHelpText('after', examples('nagaya load ./greeter', 'nagaya load ./greeter --start'))
    .action(
      runs<[string], { start?: boolean }>(async ({ terminal, withDaemon }, options, folder) => {
        await withDaemon(async (client) => {
          const { plugin } = await client.call('plugin.load', { path: resolve(folder) });
          const starts = options.start === true && plugin.hasService;
          const service = starts ? await client.call('service.start', { plugin: plugin.id }) : undefined;
          terminal.answer(service === undefined ? { plugin } : { plugin: { ...plugin, lifecycle: service.lifecycle }, service }, () => {
            terminal.line(`${plugin.id} ${plugin.version} is loaded${service === undefined ? '' : ` and ${service.lifecycle}`}`);
            if (plugin.hasService && !starts) terminal.note(`start its service with \`nagaya start ${plugin.id}\``);
            if (options.start === true && !plugin.hasService) terminal.note('it has no service to start');
          });
        });
      }),
    );
}
