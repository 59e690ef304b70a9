// `nagaya worker transcript WORKER`: what was said, the newest of it where nothing else is asked for.
import type { Command } from 'commander';
import type { Client } from '../../../protocol/client/client.ts';
import type { TranscriptPage } from '../../../protocol/runtime.ts';
import { usageFailure } from '../failure.ts';
import { examples, runs, wholeNumber } from '../invocation.ts';
import { type Terminal, styled } from '../views/terminal.ts';
import { TranscriptScreen } from '../views/transcript-view.ts';
import {
  type RuntimeOption,
  type WorkerAddress,
  addressOf,
  runtimeFlags,
  runtimeText,
  suggesting,
  workerText,
} from '../worker-address.ts';

interface TranscriptOptions extends RuntimeOption {
  readonly start?: number;
  readonly limit?: number;
  readonly all?: boolean;
}

const pageLimit = 200;
const defaultLimit = 100;

export function registerTranscript(group: Command): void {
  group
    .command('transcript')
    .description('print what was said to a worker and by it: the newest, or from a place on')
    .argument('<worker>', workerText)
    .option(runtimeFlags, runtimeText)
    .option(
      '--start <sequence>',
      'the first item wanted (default: as near the end as the limit lets)',
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .option('-n, --limit <count>', `how many at most (default: ${String(defaultLimit)})`, wholeNumber(1, pageLimit))
    .option('--all', 'everything that is kept, or everything from --start on')
    .addHelpText(
      'after',
      examples(
        'nagaya worker transcript 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f',
        'nagaya worker transcript 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f --all --json | jq -r .items[].content',
      ),
    )
    .action(
      runs<[string], TranscriptOptions>(async ({ terminal, withDaemon }, options, text) => {
        if (options.all === true && options.limit !== undefined)
          throw usageFailure('--all and --limit contradict each other.', 'Give one of the two.');
        const address = addressOf(text, options);
        const page = await withDaemon((client) => suggesting(client, address, () => read(client, address, options)));
        terminal.answer(page, () => show(terminal, page, options));
      }),
    );
}

async function read(
  client: Client,
  address: WorkerAddress,
  { start, limit = defaultLimit, all = false }: TranscriptOptions,
): Promise<TranscriptPage> {
  const page = (from: number, count: number): Promise<TranscriptPage> =>
    client.call('worker.transcript', { ...address, start: from, limit: count });
  if (!all && start !== undefined) return await page(start, limit);
  if (!all) {
    const { totalItems } = await page(0, 1);
    return await page(Math.max(0, totalItems - limit + 1), limit);
  }
  let whole = await page(start ?? 0, pageLimit);
  // Ends also where the transcript grows faster than it is read: what came later is not waited for.
  const { totalItems } = whole;
  while (whole.nextStart <= totalItems) {
    const more = await page(whole.nextStart, pageLimit);
    if (more.nextStart <= whole.nextStart) break;
    whole = { ...more, items: [...whole.items, ...more.items] };
  }
  return whole;
}

function show(
  terminal: Terminal,
  { items, firstSequence, totalItems, nextStart }: TranscriptPage,
  { start = 0 }: TranscriptOptions,
): void {
  const [first] = items;
  if (totalItems === 0) terminal.note('nothing was said yet');
  else if (first === undefined)
    terminal.note(`there is nothing from #${String(start)} on; the last item is #${String(totalItems)}`);
  else if (firstSequence > 1 && first.sequence === firstSequence)
    terminal.note(styled('yellow', `what was before #${String(firstSequence)} is no longer kept`));
  else if (first.sequence > Math.max(firstSequence, start))
    terminal.note(
      `the ${String(first.sequence - firstSequence)} items before #${String(first.sequence)} are shown with --all`,
    );
  const screen = new TranscriptScreen(terminal);
  for (const item of items) screen.item(item);
  screen.close();
  if (items.length > 0 && nextStart <= totalItems)
    terminal.note(`there is more: go on with --start ${String(nextStart)}`);
}
