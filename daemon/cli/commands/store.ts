// `nagaya store status|backup|verify`: what outlives the daemon, a copy of it, and whether all of it is whole.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { StoreStatus } from '../../../protocol/operations/store.ts';
import { exitCodes } from '../failure.ts';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { bytesText, plural, timeText } from '../views/quantity.ts';
import { printTable } from '../views/table.ts';
import { type Terminal, styled } from '../views/terminal.ts';

export function register(program: Command): void {
  const group = program
    .command('store')
    .helpGroup(groups.daemon)
    .description('look at what outlives the daemon, copy it, or check that all of it is whole')
    .addHelpText('after', examples('nagaya store status', 'nagaya store backup ./backup', 'nagaya store verify'));
  group
    .command('status')
    .description('tell whether the store works, and what it holds')
    .addHelpText('after', examples('nagaya store status', 'nagaya store status --json | jq .usedBytes'))
    .action(
      runs<[]>(async ({ terminal, withDaemon }) => {
        const status = await withDaemon((client) => client.call('store.status', {}));
        terminal.answer(status, () => showStatus(terminal, status));
      }),
    );
  group
    .command('backup')
    .description('copy the store, while the daemon runs, into a new folder that `nagaya serve --state` starts from')
    .argument('<folder>', 'folder to make')
    .addHelpText('after', examples('nagaya store backup ./backup', 'nagaya serve --state ./backup'))
    .action(
      runs<[string]>(async ({ terminal, withDaemon }, _options, folder) => {
        const report = await withDaemon((client) => client.call('store.backup', { path: resolve(folder) }));
        terminal.answer(report, () =>
          terminal.line(
            `${plural(report.entries, 'entry', 'entries')} (${bytesText(report.bytes)}) are copied to ${report.path}`,
          ),
        );
      }),
    );
  group
    .command('verify')
    .description('read all that is stored and compare it with its checksums; exit code 1 if something is damaged')
    .addHelpText('after', examples('nagaya store verify', 'nagaya store verify --json | jq .damaged'))
    .action(
      runs<[]>(async ({ terminal, withDaemon }) => {
        const report = await withDaemon((client) => client.call('store.verify', {}));
        terminal.answer(report, () => {
          terminal.line(
            `${plural(report.entries, 'entry', 'entries')} (${bytesText(report.bytes)}) were read; `,
            report.damagedCount === 0
              ? styled('green', 'all of them are whole')
              : styled('red', `${String(report.damagedCount)} are damaged`),
          );
          for (const { half, table, key } of report.damaged) terminal.line(`  ${half} ${table} ${key}`);
        });
        return report.damagedCount === 0 ? exitCodes.fine : exitCodes.failed;
      }),
    );
}

function showStatus(
  terminal: Terminal,
  { state, folder, fault, usedBytes, limitBytes, tables, pending, counters, repairs }: StoreStatus,
): void {
  terminal.line(styled('bold', folder), `  ${state === 'unused' ? 'nothing is stored' : state}`);
  if (fault !== null) terminal.line(styled('red', `since ${timeText(fault.since)}: ${fault.message}`));
  terminal.line(
    `${bytesText(usedBytes)} of ${bytesText(limitBytes)}; ${plural(counters.commits, 'commit')} since the daemon started, ${String(counters.failedCommits)} failed, ${String(pending.commits)} on the way`,
  );
  for (const { message } of repairs) terminal.line(styled('yellow', message));
  if (tables.length > 0)
    printTable(
      terminal,
      ['TABLE', 'SYNCED', 'ENTRIES', 'SIZE'],
      tables.map(({ half, table, entries, bytes }) => [
        table,
        half === 'kept' ? 'yes' : 'no',
        String(entries),
        bytesText(bytes),
      ]),
    );
}
