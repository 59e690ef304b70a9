// `nagaya worker state WORKER`: what a worker keeps in ctx.state.
import type { Command } from 'commander';
import { examples, runs } from '../invocation.ts';
import { showState } from '../views/state-view.ts';
import { type RuntimeOption, addressOf, runtimeFlags, runtimeText, suggesting, workerText } from '../worker-address.ts';

export function registerState(group: Command): void {
  group
    .command('state')
    .description('show what a worker keeps in ctx.state, as of the last input that was done')
    .argument('<worker>', workerText)
    .option(runtimeFlags, runtimeText)
    .addHelpText(
      'after',
      examples(
        'nagaya worker state 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f',
        'nagaya worker state 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f --json | jq .state',
      ),
    )
    .action(
      runs<[string], RuntimeOption>(async ({ terminal, withDaemon }, options, text) => {
        const address = addressOf(text, options);
        const kept = await withDaemon((client) =>
          suggesting(client, address, () => client.call('worker.state', address)),
        );
        showState(terminal, kept);
      }),
    );
}
