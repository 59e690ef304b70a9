// `nagaya worker follow WORKER`: what happens to a worker, as it happens. A connection that breaks is made again and
// goes on behind the last event; Ctrl-C, the worker's stop and the daemon's end are the ways it ends.
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Client } from '../../../protocol/client/client.ts';
import { HostError } from '../../../protocol/errors.ts';
import type { WorkerEvent } from '../../../protocol/runtime.ts';
import { localFailure } from '../failure.ts';
import { Interruption } from '../interruption.ts';
import { type Invocation, examples, runs } from '../invocation.ts';
import type { Terminal } from '../views/terminal.ts';
import { TranscriptScreen } from '../views/transcript-view.ts';
import {
  type RuntimeOption,
  addressOf,
  addressText,
  runtimeFlags,
  runtimeText,
  suggesting,
  workerText,
} from '../worker-address.ts';
import { WorkerFeed, longWaitMs } from '../worker-feed.ts';

interface FollowOptions extends RuntimeOption {
  readonly after?: string;
}

export function registerFollow(group: Command): void {
  group
    .command('follow')
    .description('print what happens to a worker as it happens; Ctrl-C ends it')
    .argument('<worker>', workerText)
    .option(runtimeFlags, runtimeText)
    .option('--after <cursor>', 'go on behind this event (default: begin with a snapshot)')
    .addHelpText(
      'after',
      examples(
        'nagaya worker follow 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f',
        'nagaya worker follow 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f --json | jq -c .type',
      ),
    )
    .action(
      runs<[string], FollowOptions>(async ({ terminal, withDaemon }, options, text) => {
        const address = addressOf(text, options);
        const watch = new Watch(terminal);
        const feed = new WorkerFeed(address, options.after);
        await connected(
          withDaemon,
          () => watch.taken,
          (client) => suggesting(client, address, () => watch.over(feed, client)),
        );
        watch.close();
        if (watch.stopped) terminal.note(`${addressText(address)} is stopped: nothing more happens to it`);
      }),
    );
}

/** What ran when the worker was stopped comes to its end a little later. */
const lastWordsMs = 1000;

class Watch {
  readonly #terminal: Terminal;
  readonly #screen: TranscriptScreen;
  stopped = false;
  /** Events so far. */
  taken = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    this.#screen = new TranscriptScreen(terminal);
  }

  async over(feed: WorkerFeed, client: Client): Promise<void> {
    for (;;) {
      const events = await feed.read(client, this.stopped ? lastWordsMs : longWaitMs);
      if (events.length === 0 && this.stopped) return;
      for (const event of events) this.#take(event);
    }
  }

  close(): void {
    if (!this.#terminal.json) this.#screen.close();
  }

  #take(event: WorkerEvent): void {
    this.taken += 1;
    if (event.type === 'state') this.stopped = event.state === 'stopped';
    if (event.type === 'snapshot') this.stopped = event.worker.state === 'stopped';
    if (this.#terminal.json) this.#terminal.record(event);
    else this.#screen.event(event);
  }
}

const reconnectAfterMs = 200;
/** Connections in a row that break before they bring anything. */
const mostVain = 5;

async function connected(
  withDaemon: Invocation['withDaemon'],
  progress: () => number,
  use: (client: Client) => Promise<void>,
): Promise<void> {
  let vain = 0;
  let reached = false;
  for (;;) {
    const before = progress();
    try {
      await withDaemon((client) => {
        reached = true;
        return Promise.race([use(client), new Interruption().wait(client)]);
      });
      return;
    } catch (thrown) {
      vain = progress() > before ? 0 : vain + 1;
      if (!(thrown instanceof HostError)) throw thrown;
      // One that was there and is not found again has ended.
      if (thrown.code === 'shutting_down' || (thrown.code === 'daemon_unreachable' && reached))
        throw localFailure(
          new HostError('connection_closed', 'The daemon has ended.'),
          'Start it again with `nagaya serve`; workers of backend-internal do not outlive it.',
        );
      if (thrown.code !== 'connection_closed' || vain > mostVain) throw thrown;
    }
    await pause(reconnectAfterMs);
  }
}
