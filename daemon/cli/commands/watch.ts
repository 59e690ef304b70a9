// `nagaya watch [PLUGIN]`: what the services do, live. A terminal gets a table that redraws itself, a pipe gets one
// line an event, and --json gets a snapshot and then every event as it came.
import type { Command } from 'commander';
import type { Client } from '../../../protocol/client/client.ts';
import type { FeedNotification } from '../../../protocol/operations/telemetry.ts';
import { feedEventPieces } from '../views/feed-view.ts';
import { groups } from '../groups.ts';
import { examples, runs, wholeNumber } from '../invocation.ts';
import { Interruption } from '../interruption.ts';
import { LiveServices } from '../views/live-services.ts';
import { type Terminal, styled } from '../views/terminal.ts';

interface WatchOptions {
  readonly interval: number;
}

/** A burst of events becomes one look at the services. */
const leastRedrawMs = 100;

export function register(program: Command): void {
  program
    .command('watch')
    .helpGroup(groups.see)
    .description('show services live: state, queue, rates and last error; Ctrl-C ends it')
    .argument('[plugin]', 'only this plugin')
    .option('--interval <ms>', 'how often to redraw where nothing happens', wholeNumber(100, 60_000), 1000)
    .addHelpText(
      'after',
      examples(
        'nagaya watch',
        'nagaya watch example.greeter --interval 250',
        'nagaya watch --json | jq -c "select(.topic == \\"failure\\")"',
      ),
    )
    .action(
      runs<[string | undefined], WatchOptions>(async ({ terminal, withDaemon }, options, plugin) => {
        await withDaemon(async (client) => {
          if (terminal.interactive && !terminal.json) await redrawLive(terminal, client, plugin, options.interval);
          else await printEvents(terminal, client, plugin);
        });
      }),
    );
}

const topics = ['plugin', 'lifecycle', 'failure', 'counters'] as const;

async function subscribe(
  client: Client,
  plugin: string | undefined,
  listener: (notification: FeedNotification) => void,
): Promise<void> {
  client.onEvent(listener);
  await client.call('events.subscribe', { topics: [...topics], ...(plugin === undefined ? {} : { plugin }) });
}

async function printEvents(terminal: Terminal, client: Client, plugin: string | undefined): Promise<void> {
  const interruption = new Interruption();
  let dropped = 0;
  const early: FeedNotification[] = [];
  let show = (notification: FeedNotification): void => void early.push(notification);
  await subscribe(client, plugin, (notification) => show(notification));
  const { services } = await client.call('service.list', {});
  const shown = plugin === undefined ? services : services.filter(({ pluginId }) => pluginId === plugin);
  if (terminal.json) terminal.record({ topic: 'snapshot', at: new Date().toISOString(), services: shown });
  else for (const { pluginId, lifecycle } of shown) terminal.line(`${pluginId} is ${lifecycle}`);
  show = (notification) => {
    if (terminal.json)
      terminal.record({ ...notification.event, sequence: notification.sequence, dropped: notification.dropped });
    else {
      if (notification.dropped > dropped)
        terminal.note(styled('yellow', `${String(notification.dropped - dropped)} events were dropped`));
      dropped = notification.dropped;
      terminal.line(...feedEventPieces(notification.event));
    }
  };
  for (const notification of early) show(notification);
  await interruption.wait(client);
}

async function redrawLive(
  terminal: Terminal,
  client: Client,
  plugin: string | undefined,
  intervalMs: number,
): Promise<void> {
  const interruption = new Interruption();
  const live = new LiveServices(plugin);
  let height = 0;
  let busy = false;
  let timer: NodeJS.Timeout | undefined;
  const again = (afterMs: number): void => {
    clearTimeout(timer);
    timer = setTimeout(look, afterMs);
  };
  const look = (): void => {
    if (busy) return;
    busy = true;
    Promise.all([client.call('service.list', {}), client.call('daemon.status', {})])
      .then(([{ services }, daemon]) => {
        height = terminal.redraw(live.frame(services, daemon, performance.now()), height);
        busy = false;
        again(intervalMs);
      })
      .catch(() => undefined); // the connection's end is told by the interruption's wait
  };
  await subscribe(client, plugin, ({ event, dropped }) => {
    live.note(event, dropped);
    if (event.topic !== 'counters') again(leastRedrawMs);
  });
  terminal.showCursor(false);
  try {
    look();
    await interruption.wait(client);
  } finally {
    clearTimeout(timer);
    terminal.showCursor(true);
  }
}
