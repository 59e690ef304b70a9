// `nagaya deliver PLUGIN [PAYLOAD]`: queues one event and prints what its handler answered.
import type { Command } from 'commander';
import { type EventOptions, eventBase, eventOptions } from '../event-options.ts';
import { groups } from '../groups.ts';
import { examples, milliseconds, runs } from '../invocation.ts';
import { jsonArgument } from '../json-input.ts';
import { durationText } from '../views/quantity.ts';
import { styled } from '../views/terminal.ts';

interface DeliverOptions extends EventOptions {
  readonly timeout?: number;
}

export function register(program: Command): void {
  eventOptions(program.command('deliver'))
    .helpGroup(groups.use)
    .description("queue an event and wait for the handler's output")
    .argument('<plugin>', 'id of a loaded plugin with a service')
    .argument('[payload]', 'JSON; - reads it from standard input')
    .option('--timeout <ms>', "how long to wait (default: the daemon's limits.deliverMs)", milliseconds)
    .addHelpText(
      'after',
      examples(
        `nagaya deliver example.greeter '{"name":"Ada"}'`,
        'nagaya deliver example.greeter - --timeout 2000 < payload.json',
      ),
    )
    .action(
      runs<[string, string | undefined], DeliverOptions>(
        async ({ terminal, withDaemon }, options, plugin, argument) => {
          const payload = await jsonArgument(argument, 'payload');
          await withDaemon(async (client) => {
            const event = {
              ...(await eventBase(client, plugin, options)),
              ...(payload === undefined ? {} : { payload }),
            };
            const answer = await client.call('ingress.deliver', {
              plugin,
              event,
              ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout }),
            });
            terminal.answer(answer, () => {
              terminal.value(answer.output);
              terminal.note(
                styled(
                  'dim',
                  `handled in ${durationText(answer.durationMs)} after ${durationText(answer.queuedMs)} in the queue, ${answer.eventId}`,
                ),
              );
            });
          });
        },
      ),
    );
}
