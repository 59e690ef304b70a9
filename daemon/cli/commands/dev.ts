// `nagaya dev DIR`: a plugin while it is being written. Loads and starts it, reloads it at every save, and prints what
// came of it together with the plugin's own log.
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Client } from '../../../protocol/client/client.ts';
import type { LogLine } from '../../../protocol/operations/telemetry.ts';
import { type Brought, DevSession } from '../authoring/dev-session.ts';
import { asFailure, reportFailure, usageFailure } from '../failure.ts';
import { groups } from '../groups.ts';
import { Interruption } from '../interruption.ts';
import { examples, runs } from '../invocation.ts';
import { logLinePieces } from '../views/log-view.ts';
import { type FileChanges, PluginFiles } from '../authoring/plugin-files.ts';
import { durationText, plural } from '../views/quantity.ts';
import { type Terminal, styled } from '../views/terminal.ts';

export function register(program: Command): void {
  program
    .command('dev')
    .helpGroup(groups.author)
    .description('load a plugin, reload it at every save without losing an event, and print its log; Ctrl-C ends it')
    .argument('<folder>', 'folder that holds plugin.json')
    .addHelpText('after', examples('nagaya dev ./greeter', 'nagaya dev ./greeter --json'))
    .action(
      runs<[string]>(async ({ terminal, withDaemon }, _options, given) => {
        const folder = realFolder(given);
        await withDaemon(async (client) => {
          const interruption = new Interruption();
          const files = new PluginFiles({ folder });
          await files.begin();
          const session = new DevSession(client, folder);
          const working = work(terminal, client, session, files);
          try {
            await Promise.race([interruption.wait(client), working]);
          } finally {
            files.stop();
          }
          await working;
          if (await session.leave()) tell(terminal, { event: 'unloaded' }, `${session.id ?? ''} is unloaded again`);
        });
      }),
    );
}

function realFolder(given: string): string {
  try {
    return realpathSync(resolve(given));
  } catch {
    throw usageFailure(
      `There is no folder ${given}.`,
      'Name the folder of a plugin; `nagaya new service DIR` writes one.',
    );
  }
}

/** Until the files are no longer looked at. */
async function work(terminal: Terminal, client: Client, session: DevSession, files: PluginFiles): Promise<void> {
  let following = false;
  for (
    let changes: FileChanges | undefined = { paths: [], total: 0 };
    changes !== undefined;
    changes = await files.changed()
  ) {
    if (changes.total > 0) tellChanges(terminal, changes);
    const brought = await session.bring();
    if (!following && session.id !== undefined) {
      following = true;
      await followLog(terminal, client, session.id);
    }
    tellBrought(terminal, brought);
    if (changes.total === 0) tellWatching(terminal, files);
  }
}

async function followLog(terminal: Terminal, client: Client, plugin: string): Promise<void> {
  let dropped = 0;
  client.onEvent((notification) => {
    if (notification.dropped > dropped)
      terminal.note(
        styled('yellow', `${plural(notification.dropped - dropped, 'line')} came faster than they could be sent`),
      );
    dropped = notification.dropped;
    showLine(terminal, notification.event.data as LogLine, plugin);
  });
  // What its first start had to say is already there.
  const { lines } = await client.call('log.read', { plugin, limit: firstLines, follow: true });
  for (const line of lines) if (Date.parse(line.time) >= performance.timeOrigin) showLine(terminal, line, plugin);
}

/** Of the first start; an older log has `nagaya logs`. */
const firstLines = 100;

function showLine(terminal: Terminal, line: LogLine, plugin: string): void {
  if (terminal.json) terminal.record({ event: 'log', line });
  else terminal.lines(logLinePieces(line, plugin));
}

function tellChanges(terminal: Terminal, { paths, total }: FileChanges): void {
  tell(
    terminal,
    { event: 'changed', paths, total },
    `${paths.join(', ')}${total > paths.length ? ` and ${String(total - paths.length)} more` : ''} changed`,
  );
}

function tellWatching(terminal: Terminal, files: PluginFiles): void {
  const { files: count, atLimit } = files.watched;
  tell(terminal, { event: 'watching', files: count }, `watching ${plural(count, 'file')}; Ctrl-C ends it`);
  if (atLimit) terminal.note(styled('yellow', 'the folder holds more files than that; the others are not watched'));
}

function tellBrought(terminal: Terminal, brought: Brought): void {
  if (brought.how === 'refused') {
    if (terminal.json) terminal.record({ event: 'refused', error: brought.error.toWire(), goesOn: brought.goesOn });
    else reportFailure(terminal, asFailure(brought.error));
    terminal.note(
      styled(
        'yellow',
        brought.goesOn ? 'what ran before goes on; save again once it is corrected' : 'save again once it is corrected',
      ),
    );
    return;
  }
  const { how, plugin, incarnation, tookMs } = brought;
  const state = plugin.lifecycle === null ? '' : `, incarnation ${String(incarnation)} is ${plugin.lifecycle}`;
  tell(
    terminal,
    { event: how, plugin, incarnation, tookMs: Math.round(tookMs) },
    `${plugin.id} ${plugin.version} is ${how}${state} (${durationText(tookMs)})`,
  );
  if (!terminal.json) for (const note of plugin.notes) terminal.note(styled('yellow', note));
}

function tell(terminal: Terminal, record: Readonly<Record<string, unknown>>, text: string): void {
  if (terminal.json) terminal.record(record);
  else terminal.line(styled('bold', '— '), text);
}
