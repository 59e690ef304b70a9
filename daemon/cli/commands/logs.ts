// `nagaya logs [PLUGIN]`: the newest lines of a plugin's log or of the daemon's own, and with -f those that follow.
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { FeedNotification, LogLevel, LogLine } from '../../../protocol/operations/telemetry.ts';
import { groups } from '../groups.ts';
import { Interruption } from '../interruption.ts';
import { examples, runs, wholeNumber } from '../invocation.ts';
import { logLinePieces } from '../views/log-view.ts';
import { plural } from '../views/quantity.ts';
import { type Terminal, styled } from '../views/terminal.ts';

interface LogsOptions {
  readonly follow?: boolean;
  readonly lines?: number;
  /** An instant. */
  readonly since?: string;
  readonly level?: LogLevel;
}

/** From the least to the most severe. */
const levels: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
const choices: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
const mostLines = 1000;
const usualLines = 100;
const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function register(program: Command): void {
  program
    .command('logs')
    .helpGroup(groups.see)
    .description("print a plugin's log, or the daemon's own")
    .argument('[plugin]', 'id of a loaded plugin (default: the daemon itself)')
    .option('-f, --follow', 'go on with what is written from now on; Ctrl-C ends it')
    .option(
      '-n, --lines <count>',
      'how many of the newest lines (default: 100, with --since 1000)',
      wholeNumber(0, mostLines),
    )
    .option('--since <time>', 'no line that is older: 30s, 10m, 2h, 7d, or a date', instant)
    .addOption(new Option('--level <level>', 'only lines of this level and above').choices(choices))
    .addHelpText(
      'after',
      examples(
        'nagaya logs',
        'nagaya logs example.greeter -f',
        'nagaya logs example.greeter --since 2h --level warn',
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
          const { since, level, lines = since === undefined ? usualLines : mostLines } = options;
          const read = await client.call('log.read', {
            limit: lines,
            follow: options.follow === true,
            ...(since === undefined ? {} : { since }),
            ...(level === undefined ? {} : { level }),
            ...(plugin === undefined ? {} : { plugin }),
          });
          if (read.droppedLines > 0)
            terminal.note(
              styled('yellow', `${plural(read.droppedLines, 'line')} went over the byte budget and were dropped`),
            );
          if (read.truncated && since !== undefined)
            terminal.note(styled('yellow', `there are older lines since then; these are the newest ${String(lines)}`));
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
            const line = notification.event.data as LogLine;
            if (level === undefined || levels.indexOf(line.level) >= levels.indexOf(level))
              printLine(terminal, line, plugin);
          };
          for (const notification of early) take(notification);
          await interruption.wait(client);
        });
      }),
    );
}

/** How long ago, or a date in the form that `Date` reads. */
function instant(text: string): string {
  const [, count = '', unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const atMs = count === '' ? Date.parse(text) : Date.now() - Number(count) * (unitMs[unit] ?? 0);
  if (Number.isNaN(atMs) || Math.abs(atMs) > 8.64e15)
    throw new InvalidArgumentError('It must be a time like 30s, 10m, 2h or 7d, or a date like 2026-01-31T12:00.');
  return new Date(atMs).toISOString();
}

function printLine(terminal: Terminal, line: LogLine, plugin: string | undefined): void {
  if (terminal.json) terminal.record(line);
  else terminal.lines(logLinePieces(line, plugin));
}
