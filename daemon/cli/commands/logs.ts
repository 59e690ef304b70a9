// `nagaya logs [PLUGIN]`: the newest lines of a plugin's log or of the daemon's own, and with -f those that follow.
import type { Command } from 'commander';
import type { FeedNotification, LogLine } from '../../../protocol/operations/telemetry.ts';
import { groups } from '../groups.ts';
import { Interruption } from '../interruption.ts';
import { examples, runs, wholeNumber } from '../invocation.ts';
import { logLinePieces } from '../views/log-view.ts';
import { plural } from '../views/quantity.ts';
import { type Terminal, styled } from '../views/terminal.ts';

interface LogsOptions {
  readonly follow?: boolean;
  readonly lines: number;
}

export function register(program: Command): void {
  program
    .command('logs')
    .helpGroup(groups.see)
    .description("print a plugin's log, or the daemon's own")
    .argument('[plugin]', 'id of a loaded plugin (default: the daemon itself)')
    .option('-f, --follow', 'go on with what is written from now on; Ctrl-C ends it')
    .option('-n, --lines <count>', 'how many of the newest lines', wholeNumber(0, 1000), 100)
    .addHelpText(
      'after',
      examples(
        'nagaya logs',
        'nagaya logs example.greeter -f',
        'nagaya logs example.greeter -n 1000 --json | jq -c "select(.level == \\"error\\")"',
      ),
    )
    .action(
      runs<[string | undefined], LogsOptions>(async ({ terminal, withDaemon }, options, plugin) => {
        await withDaemon(async (client) => {
          const interruption = options.follow === true ? new Interruption() : undefined;
          const early: FeedNotification[] = [];
          let take = (notification: FeedNotification): void => void early.push(notification);
          client.onEvent((notification) => take(notification));
          const read = await client.call('log.read', {
            limit: options.lines,
            follow: options.follow === true,
            ...(plugin === undefined ? {} : { plugin }),
          });
          if (read.droppedLines > 0)
            terminal.note(
              styled('yellow', `${plural(read.droppedLines, 'line')} went over the byte budget and were dropped`),
            );
          for (const line of read.lines) printLine(terminal, line, plugin);
          if (interruption === undefined) return;
          let dropped = 0;
          take = (notification) => {
            if (notification.dropped > dropped)
              terminal.note(
                styled(
                  'yellow',
                  `${plural(notification.dropped - dropped, 'line')} came faster than they could be sent`,
                ),
              );
            dropped = notification.dropped;
            // The feed carries a log line as the data of its event.
            printLine(terminal, notification.event.data as LogLine, plugin);
          };
          for (const notification of early) take(notification);
          await interruption.wait(client);
        });
      }),
    );
}

function printLine(terminal: Terminal, line: LogLine, plugin: string | undefined): void {
  if (terminal.json) terminal.record(line);
  else terminal.lines(logLinePieces(line, plugin));
}
