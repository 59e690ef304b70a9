// `nagaya shutdown`: ends the daemon, and answers when it has ended.
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Client } from '../../../protocol/client/client.ts';
import { HostError } from '../../../protocol/errors.ts';
import { localFailure } from '../failure.ts';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { goneText } from '../views/service-view.ts';

/** Beyond the daemon's own hard deadline: for its process to be gone. */
const graceMs = 3000;
const lookEveryMs = 20;
/** The connection ends with the daemon, long before this. */
const mostShutdownMs = 3_600_000;

export function register(program: Command): void {
  program
    .command('shutdown')
    .helpGroup(groups.daemon)
    .description('stop every service and end the daemon')
    .addHelpText('after', examples('nagaya shutdown', 'nagaya shutdown --json'))
    .action(
      runs(async ({ terminal, socket, withDaemon }) => {
        await withDaemon(async (client) => {
          // Both go out together: a daemon with nothing to stop has ended before a second request could follow the
          // first answer.
          const begun = client.call('daemon.shutdown', {});
          const stopped = stoppedServices(client);
          stopped.catch(() => {}); // What refuses the first request refuses this one too.
          const answer = await begun;
          terminal.note(`the daemon (pid ${String(answer.pid)}) is shutting down`);
          const hasGone = await hasEnded(answer.pid, socket, client.closed, answer.withinMs + graceMs);
          const events = hasGone ? await stopped : undefined;
          if (!hasGone) {
            throw localFailure(
              new HostError(
                'internal',
                `The daemon (pid ${String(answer.pid)}) has not ended within ${String(answer.withinMs + graceMs)} ms.`,
                { pid: answer.pid },
              ),
              `End it with \`kill -9 ${String(answer.pid)}\`.`,
            );
          }
          const told =
            events?.discarded === undefined
              ? 'it was cut short before it told what became of waiting events'
              : goneText({ kept: events.kept ?? 0, discarded: events.discarded });
          terminal.answer({ ...answer, ...events, ended: true }, () => terminal.line(`the daemon has ended; ${told}`));
        });
      }),
    );
}

/** Undefined where the daemon ended hard before it could tell. */
async function stoppedServices(
  client: Client,
): Promise<{ readonly kept?: number | undefined; readonly discarded?: number | undefined } | undefined> {
  try {
    const { kept, discarded } = await client.call('daemon.shutdown', { wait: true }, { timeoutMs: mostShutdownMs });
    return { kept, discarded };
  } catch (thrown) {
    if (thrown instanceof HostError && thrown.code === 'connection_closed') return undefined;
    throw thrown;
  }
}

async function hasEnded(pid: number, socket: string, closed: Promise<void>, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  const timer = new AbortController();
  // The wait is cut short when the daemon has ended.
  await Promise.race([closed, sleep(withinMs, undefined, { signal: timer.signal }).catch(() => undefined)]);
  timer.abort();
  while (performance.now() < deadline) {
    // A daemon that nobody waits for stays in the process table: a removed socket says as much.
    if (!isAlive(pid) || !existsSync(socket)) return true;
    await sleep(lookEveryMs);
  }
  return false;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
