// `nagaya health`: whether the daemon is ready, and why not, with an exit code that scripts can use.
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { exitCodes } from '../failure.ts';
import { examples, runs } from '../invocation.ts';
import { styled } from '../views/terminal.ts';

const callMs = 10_000;

export function register(program: Command): void {
  program
    .command('health')
    .helpGroup(groups.see)
    .description('ask whether the daemon is ready, and why not; exit code 1 where it is not, 3 where none answers')
    .addHelpText('after', examples('nagaya health', 'nagaya health --json | jq .reasons'))
    .action(
      runs(async ({ terminal, withDaemon }) =>
        withDaemon(
          async (client) => {
            const health = await client.call('daemon.health', {});
            terminal.answer(health, () => {
              terminal.line(health.ready ? styled('green', 'ready') : styled('red', 'not ready'));
              for (const { message } of health.reasons) terminal.line(`  ${message}`);
            });
            return health.ready ? exitCodes.fine : exitCodes.failed;
          },
          { callMs },
        ),
      ),
    );
}
