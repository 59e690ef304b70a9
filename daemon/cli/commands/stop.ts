// `nagaya stop PLUGIN`: drains a service's queue and stops it.
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { keptText, lifecycleLine } from '../views/service-view.ts';

export function register(program: Command): void {
  program
    .command('stop')
    .helpGroup(groups.plugins)
    .description(
      "drain a service's queue for at most stopMs and stop it; what is not handled by then stays queued for the next start",
    )
    .argument('<plugin>', 'id of a loaded plugin with a service')
    .option(
      '--now',
      'drain nothing; an event that ignores its abort signal is cut off and comes again after the next start',
    )
    .option('--discard', 'drop the queue instead of keeping it')
    .addHelpText(
      'after',
      examples(
        'nagaya stop example.greeter',
        'nagaya stop example.greeter --now',
        'nagaya stop example.greeter --now --discard',
      ),
    )
    .action(
      runs<[string], { now?: boolean; discard?: boolean }>(async ({ terminal, withDaemon }, options, plugin) => {
        const answer = await withDaemon((client) =>
          client.call('service.stop', { plugin, now: options.now === true, discard: options.discard === true }),
        );
        terminal.answer(answer, () => {
          terminal.line(...lifecycleLine(answer), `; ${keptText(answer, 'next start')}`);
          if (answer.error !== null) terminal.note(`while it stopped: ${answer.error.code}: ${answer.error.message}`);
        });
      }),
    );
}
