// `nagaya call PLUGIN TOOL [INPUT]`: calls a tool and prints its output. Ctrl-C cancels the call, not just the wait.
import type { Command } from 'commander';
import { uuidv7 } from '../../../protocol/uuid.ts';
import { groups } from '../groups.ts';
import { examples, milliseconds, runs } from '../invocation.ts';
import { jsonArgument } from '../json-input.ts';
import { ProgressBar } from '../views/progress-bar.ts';
import { durationText } from '../views/quantity.ts';
import { styled } from '../views/terminal.ts';

export function register(program: Command): void {
  program
    .command('call')
    .helpGroup(groups.use)
    .description('call a tool and print its output; Ctrl-C cancels the call')
    .argument('<plugin>', 'id of a loaded plugin')
    .argument('<tool>', 'name of one of its tools')
    .argument('[input]', 'JSON; - reads it from standard input')
    .option('--timeout <ms>', "how long it may take (default: the tool's own)", milliseconds)
    .addHelpText(
      'after',
      examples(
        `nagaya call example.primes primes '{"below":100}'`,
        `nagaya call example.primes primes '{"below":5000000}' --timeout 60000 --json | jq .output.count`,
      ),
    )
    .action(
      runs<[string, string, string | undefined], { timeout?: number }>(
        async ({ terminal, withDaemon }, options, plugin, tool, argument) => {
          const input = await jsonArgument(argument, 'input');
          const answer = await withDaemon(async (client) => {
            const callId = uuidv7();
            // A second Ctrl-C finds no listener and ends the command at once.
            const cancel = (): void => {
              terminal.note('cancelling the call');
              client.call('tool.cancel', { callId }).catch(() => undefined); // the call itself tells what became of it
            };
            process.once('SIGINT', cancel);
            const bar = new ProgressBar(terminal);
            client.onProgress((progress) => bar.show(progress));
            try {
              return await client.call('tool.call', {
                plugin,
                tool,
                callId,
                ...(bar.wanted ? { progress: true } : {}),
                ...(input === undefined ? {} : { input }),
                ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout }),
              });
            } finally {
              bar.clear();
              process.removeListener('SIGINT', cancel);
            }
          });
          terminal.answer(answer, () => {
            terminal.value(answer.output);
            terminal.note(styled('dim', `answered in ${durationText(answer.durationMs)}`));
          });
        },
      ),
    );
}
