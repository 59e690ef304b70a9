// `nagaya ping`: whether the daemon answers, and how fast.
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { durationText } from '../views/quantity.ts';

export function register(program: Command): void {
  program
    .command('ping')
    .helpGroup(groups.daemon)
    .description('ask whether the daemon answers')
    .addHelpText('after', examples('nagaya ping', 'nagaya ping --socket /run/user/1000/nagaya/nagaya.sock'))
    .action(
      runs(async ({ terminal, socket, withDaemon }) => {
        await withDaemon(async (client) => {
          const before = performance.now();
          const answer = await client.call('daemon.ping', {}, { timeoutMs: 10_000 });
          const tookMs = Number((performance.now() - before).toFixed(3));
          terminal.answer({ ...answer, socket, tookMs }, () =>
            terminal.line(`the daemon at ${socket} answered in ${durationText(tookMs)}`),
          );
        });
      }),
    );
}
