// `nagaya worker …`: one worker, from its making to its end.
import type { Command } from 'commander';
import type { Client } from '../../../protocol/client/client.ts';
import type { InputCancellation } from '../../../protocol/runtime.ts';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { pasteable } from '../install.ts';
import { styled } from '../views/terminal.ts';
import {
  type RuntimeOption,
  type WorkerAddress,
  addressOf,
  addressText,
  runtimeFlags,
  runtimeText,
  suggesting,
  defaultRuntime,
  workerText,
} from '../worker-address.ts';
import { cancellationText, statePiece, workerDetail } from '../views/worker-view.ts';
import { registerFollow } from './worker-follow.ts';
import { registerSend } from './worker-send.ts';
import { registerState } from './worker-state.ts';
import { registerTranscript } from './worker-transcript.ts';

interface CancelOptions extends RuntimeOption {
  readonly event?: string;
}

interface NewOptions extends RuntimeOption {
  readonly profile?: string;
  readonly name?: string;
  readonly requestKey?: string;
}

export function register(program: Command): void {
  const group = program
    .command('worker')
    .helpGroup(groups.workers)
    .description('make a worker, give it inputs, read what it says, stop it')
    .addHelpText(
      'after',
      examples(
        'nagaya worker new',
        `nagaya worker send ${defaultRuntime}/0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f 'Hello' --wait`,
      ),
    );
  registerNew(group);
  registerShow(group);
  registerSend(group);
  registerStop(group);
  registerCancel(group);
  registerTranscript(group);
  registerState(group);
  registerFollow(group);
}

const defaultIntent = 'a conversation';

function registerNew(group: Command): void {
  group
    .command('new')
    .description('make a worker and print its address')
    .argument('[intent]', 'what it is for, in your own words', defaultIntent)
    .option(runtimeFlags, `where to make it (default: ${defaultRuntime})`)
    .option('--profile <profile>', 'the program it runs; see `nagaya runtimes RUNTIME` (default: builtin:default)')
    .option('--name <name>', 'what people read; it addresses nothing')
    .option('--request-key <key>', 'the same key with the same request gives the same worker')
    .addHelpText(
      'after',
      examples(
        'nagaya worker new',
        `nagaya worker new 'help with the garden' --profile example.chat:chat --name Ada`,
        'WORKER=$(nagaya worker new)',
      ),
    )
    .action(
      runs<[string], NewOptions>(
        async ({ terminal, withDaemon, socket }, { runtime = defaultRuntime, profile, name, requestKey }, intent) => {
          await withDaemon(async (client) => {
            const worker = await suggesting(client, { runtimeId: runtime, profile }, () =>
              client.call('worker.create', {
                runtimeId: runtime,
                intent,
                ...(profile === undefined ? {} : { profile }),
                ...(name === undefined ? {} : { requestedName: name }),
                ...(requestKey === undefined ? {} : { requestKey }),
              }),
            );
            const address = addressText(worker);
            terminal.answer(worker, () => {
              terminal.line(address);
              terminal.note(
                styled(
                  'dim',
                  `${worker.displayName} runs ${worker.profile ?? 'no profile'}; give it an input: ${pasteable(['worker', 'send', address, 'Hello', '--wait'], socket)}`,
                ),
              );
            });
          });
        },
      ),
    );
}

function registerShow(group: Command): void {
  group
    .command('show')
    .description('show one worker')
    .argument('<worker>', workerText)
    .option(runtimeFlags, runtimeText)
    .addHelpText(
      'after',
      examples(
        'nagaya worker show 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f',
        'nagaya worker show local/example.greeter --json',
      ),
    )
    .action(
      runs<[string], RuntimeOption>(async ({ terminal, withDaemon }, options, text) => {
        const address = addressOf(text, options);
        const worker = await withDaemon((client) =>
          suggesting(client, address, () => client.call('worker.show', address)),
        );
        terminal.answer(worker, () => terminal.lines(workerDetail(worker, Date.now())));
      }),
    );
}

function registerStop(group: Command): void {
  group
    .command('stop')
    .description('stop a worker for good; what runs or waits is cancelled')
    .argument('<worker>', workerText)
    .option(runtimeFlags, runtimeText)
    .addHelpText('after', examples('nagaya worker stop 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f'))
    .action(
      runs<[string], RuntimeOption>(async ({ terminal, withDaemon }, options, text) => {
        const address = addressOf(text, options);
        const change = await withDaemon((client) =>
          suggesting(client, address, () => client.call('worker.stop', address)),
        );
        terminal.answer(change, () =>
          terminal.line(addressText(change), ' is ', statePiece(change.state), change.changed ? '' : ' already'),
        );
      }),
    );
}

function registerCancel(group: Command): void {
  group
    .command('cancel')
    .description('end one input of a worker')
    .argument('<worker>', workerText)
    .option(runtimeFlags, runtimeText)
    .option(
      '--event <id>',
      'the eventId of the input, whether it runs or waits (default: the input that is seen to run)',
    )
    .addHelpText(
      'after',
      examples(
        'nagaya worker cancel 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f',
        'nagaya worker cancel 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f --event 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e60',
      ),
    )
    .action(
      runs<[string], CancelOptions>(async ({ terminal, withDaemon }, options, text) => {
        const address = addressOf(text, options);
        const answer = await withDaemon((client) =>
          suggesting(client, address, () => cancelInput(client, address, options.event)),
        );
        terminal.answer(answer, () => terminal.line(addressText(answer), cancellationText(answer)));
      }),
    );
}

/** Without a name it means the input that is seen to run, and names it: by the time of the request the next one may. */
async function cancelInput(
  client: Client,
  address: WorkerAddress,
  named: string | undefined,
): Promise<InputCancellation> {
  if (named !== undefined) return await client.call('worker.cancel', { ...address, eventId: named });
  const { state, capabilities, inputs } = await client.call('worker.show', address);
  if (inputs.running !== null) return await client.call('worker.cancel', { ...address, eventId: inputs.running });
  // A worker whose inputs cannot be cancelled refuses in its own words.
  return capabilities.canCancelWorker
    ? { ...address, state, changed: false, eventId: null }
    : await client.call('worker.cancel', address);
}
