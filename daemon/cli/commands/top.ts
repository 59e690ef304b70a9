// `nagaya top`: which plugin uses the processor and the memory, live on a terminal, once elsewhere. The figures are the
// system's own, for threads, processes and what those have started.
import { type Command, Option } from 'commander';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '../../../protocol/client/client.ts';
import { groups } from '../groups.ts';
import { Interruption } from '../interruption.ts';
import { examples, runs, wholeNumber } from '../invocation.ts';
import { printTable, table } from '../views/table.ts';
import { type Piece, type Terminal, styled } from '../views/terminal.ts';
import { type SortKey, type UsageLook, sortKeys, usageHeadings, usageRow, usageRows } from '../views/usage-view.ts';

interface TopOptions {
  readonly sort: SortKey;
  readonly interval: number;
  readonly once?: boolean;
}

export function register(program: Command): void {
  program
    .command('top')
    .helpGroup(groups.see)
    .description('show what each plugin uses: processor, memory, queue, waits; live on a terminal')
    .addOption(new Option('--sort <by>', 'what comes first').choices([...sortKeys]).default('cpu'))
    .option('--interval <ms>', 'time between two looks, over which rates are told', wholeNumber(100, 60_000), 1000)
    .option('--once', 'look once and end; rates are then 0')
    .addHelpText(
      'after',
      `\nOn a terminal a key changes the order: ${sortKeys.map((key) => `${key[0] ?? ''} ${key}`).join(', ')}.\n${examples(
        'nagaya top',
        'nagaya top --sort memory',
        'nagaya top --json | jq ".plugins[0] | {plugin, cpuPercent}"',
      )}`,
    )
    .action(
      runs<[], TopOptions>(async ({ terminal, withDaemon }, options) => {
        await withDaemon(async (client) => {
          if (options.once === true) print(terminal, await look(client), undefined, options.sort);
          else if (terminal.interactive && !terminal.json) await live(terminal, client, options);
          else {
            const before = await look(client);
            await pause(options.interval);
            print(terminal, await look(client), before, options.sort);
          }
        });
      }),
    );
}

const look = async (client: Client): Promise<UsageLook> => await client.call('usage.list', {});

function print(terminal: Terminal, now: UsageLook, before: UsageLook | undefined, sort: SortKey): void {
  const rows = usageRows(now, before, sort);
  terminal.answer({ ...now, plugins: rows }, () => printTable(terminal, usageHeadings, rows.map(usageRow)));
}

function head({ daemon }: UsageLook, sort: SortKey): Piece[] {
  return [
    styled('bold', 'nagaya top'),
    `  daemon ${daemon.cpuSeconds.toFixed(1)} s of processor time, ${daemon.rssMb.toFixed(0)} MB, ${String(daemon.processors)} processors; sorted by ${sort}`,
  ];
}

async function live(terminal: Terminal, client: Client, options: TopOptions): Promise<void> {
  const interruption = new Interruption();
  let { sort } = options;
  let before: UsageLook | undefined;
  let height = 0;
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  const draw = (now: UsageLook, since: UsageLook | undefined): void => {
    height = terminal.redraw(
      [head(now, sort), [], ...table(usageHeadings, usageRows(now, since, sort).map(usageRow))],
      height,
    );
  };
  const step = (): void => {
    look(client)
      .then((now) => {
        if (ended) return;
        draw(now, before);
        before = now;
        timer = setTimeout(step, options.interval);
      })
      .catch(() => undefined); // the connection's end is told by the interruption's wait
  };
  const letGo = onKeys((key) => {
    sort = sortKeys.find((each) => each.startsWith(key)) ?? sort;
  });
  terminal.showCursor(false);
  try {
    step();
    await interruption.wait(client);
  } finally {
    ended = true;
    clearTimeout(timer);
    letGo();
    terminal.showCursor(true);
  }
}

/** Where standard input is a terminal. Ctrl-C comes as a key then, and is passed on. */
function onKeys(pressed: (key: string) => void): () => void {
  const { stdin } = process;
  if (!stdin.isTTY) return () => undefined;
  const take = (chunk: Buffer): void => {
    const key = chunk.toString('latin1');
    if (key === '\u0003') process.kill(process.pid, 'SIGINT');
    else pressed(key);
  };
  stdin.setRawMode(true);
  stdin.on('data', take).resume();
  return () => {
    stdin.off('data', take).pause();
    stdin.setRawMode(false);
  };
}
