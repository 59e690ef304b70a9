// `nagaya workers`: the workers of every runtime, each with its fair share, or those of one.
import type { Command } from 'commander';
import type { OperationResult } from '../../../protocol/operations.ts';
import { groups } from '../groups.ts';
import { examples, runs, wholeNumber } from '../invocation.ts';
import { printTable } from '../views/table.ts';
import { type Terminal, styled } from '../views/terminal.ts';
import { type RuntimeOption, runtimeFlags, suggesting } from '../worker-address.ts';
import { workerHeadings, workerRow } from '../views/worker-view.ts';

interface WorkersOptions extends RuntimeOption {
  readonly lines: number;
  readonly after?: string;
}

export function register(program: Command): void {
  program
    .command('workers')
    .helpGroup(groups.workers)
    .description('list the workers of every runtime, or of one')
    .option(runtimeFlags, 'only those of this runtime')
    .option('-n, --lines <count>', 'how many at most', wholeNumber(1, 200), 100)
    .option('--after <cursor>', 'only those behind this page, by its `next`')
    .addHelpText(
      'after',
      examples('nagaya workers', 'nagaya workers --runtime local', 'nagaya workers --json | jq -r .workers[].workerId'),
    )
    .action(
      runs<[], WorkersOptions>(async ({ terminal, withDaemon }, { runtime, lines, after }) => {
        await withDaemon(async (client) => {
          const asked = {
            limit: lines,
            ...(runtime === undefined ? {} : { runtimeId: runtime }),
            ...(after === undefined ? {} : { after }),
          };
          const page = await suggesting(client, { ...(runtime === undefined ? {} : { runtimeId: runtime }) }, () =>
            client.call('worker.list', asked),
          );
          terminal.answer(page, () => showPage(terminal, page));
        });
      }),
    );
}

function showPage(terminal: Terminal, { workers, next, leftOut }: OperationResult<'worker.list'>): void {
  const nowMs = Date.now();
  if (workers.length === 0) terminal.note('no workers; make one with `nagaya worker new`');
  else
    printTable(
      terminal,
      workerHeadings,
      workers.map((worker) => workerRow(worker, nowMs)),
    );
  for (const { runtimeId, code } of leftOut.unavailable)
    terminal.complain(styled('yellow', `${runtimeId} did not answer: `), code);
  if (next !== null)
    terminal.note(
      `there are more${leftOut.more.length === 0 ? '' : ` in ${leftOut.more.join(', ')}`}: go on with --after ${next}`,
    );
}
