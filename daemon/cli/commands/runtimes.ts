// `nagaya runtimes [RUNTIME]`: the places that own workers, or one of them with the profiles it offers.
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { runtimeDetail, runtimeHeadings, runtimeRow } from '../views/runtime-view.ts';
import { printTable } from '../views/table.ts';
import { suggesting } from '../worker-address.ts';

export function register(program: Command): void {
  program
    .command('runtimes')
    .helpGroup(groups.workers)
    .description('list the runtimes that own workers, or show one with the profiles it offers')
    .argument('[runtime]', 'id of a runtime')
    .addHelpText(
      'after',
      examples(
        'nagaya runtimes',
        'nagaya runtimes backend-internal',
        'nagaya runtimes --json | jq -r .runtimes[].runtimeId',
      ),
    )
    .action(
      runs<[string | undefined]>(async ({ terminal, withDaemon }, _options, runtimeId) => {
        await withDaemon(async (client) => {
          if (runtimeId === undefined) {
            const answer = await client.call('runtime.list', {});
            terminal.answer(answer, () => printTable(terminal, runtimeHeadings, answer.runtimes.map(runtimeRow)));
            return;
          }
          const runtime = await suggesting(client, { runtimeId }, () => client.call('runtime.show', { runtimeId }));
          terminal.answer(runtime, () => terminal.lines(runtimeDetail(runtime)));
        });
      }),
    );
}
