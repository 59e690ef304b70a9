// `nagaya worker send WORKER TEXT`: gives a worker an input; with --wait the answer is printed as it comes, and the
// exit code says how the input ended.
import type { Command } from 'commander';
import type { Client } from '../../../protocol/client/client.ts';
import type { InputAnswer, WorkerEvent } from '../../../protocol/runtime.ts';
import { type ExitCode, exitCodes } from '../failure.ts';
import { Interruption } from '../interruption.ts';
import { examples, runs } from '../invocation.ts';
import { readAll } from '../json-input.ts';
import { type Terminal, styled } from '../views/terminal.ts';
import {
  type RuntimeOption,
  type WorkerAddress,
  addressOf,
  addressText,
  runtimeFlags,
  runtimeText,
  suggesting,
  workerText,
} from '../worker-address.ts';
import { pluginOf } from '../views/worker-view.ts';
import { type AnswerEnd, WorkerAnswer } from '../worker-answer.ts';

interface SendOptions extends RuntimeOption {
  readonly system?: boolean;
  readonly wait?: boolean;
  readonly inputId?: string;
}

export function registerSend(group: Command): void {
  group
    .command('send')
    .description('give a worker an input; with --wait print its answer')
    .argument('<worker>', workerText)
    .argument('<text>', 'the input; - reads it from standard input')
    .option(runtimeFlags, runtimeText)
    .option('--wait', 'print the answer as it comes; the exit code is 0 only when the input was done')
    .option('--system', 'as an input of the system, not of the user')
    .option('--input-id <id>', 'the same id again is answered as the first time and runs nothing')
    .addHelpText(
      'after',
      examples(
        `nagaya worker send 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f 'Hello' --wait`,
        'nagaya worker send 0196fd0e-7a3b-7c1d-8e2f-0a1b2c3d4e5f - --wait < question.txt',
      ),
    )
    .action(
      runs<[string, string], SendOptions>(async ({ terminal, withDaemon }, options, worker, text) => {
        const address = addressOf(worker, options);
        const content = text === '-' ? await readAll(process.stdin, 'input') : text;
        return await withDaemon(async (client) => {
          const answer = await suggesting(client, address, () =>
            client.call('worker.input', {
              ...address,
              content,
              kind: options.system === true ? 'system' : 'user',
              ...(options.inputId === undefined ? {} : { inputId: options.inputId }),
            }),
          );
          if (options.wait === true) return await waitFor(terminal, client, address, answer);
          terminal.answer(answer, () =>
            terminal.line(`accepted as #${String(answer.sequence)}, `, styled('dim', answer.eventId)),
          );
          return exitCodes.fine;
        });
      }),
    );
}

async function waitFor(
  terminal: Terminal,
  client: Client,
  address: WorkerAddress,
  input: InputAnswer,
): Promise<ExitCode> {
  if (terminal.json) terminal.record(input);
  const interruption = new Interruption();
  const speech = new Speech(terminal);
  const answer = new WorkerAnswer(address, input, {
    event: (event) => speech.event(event),
    text: (text, sequence) => speech.text(text, sequence),
  });
  const end = await Promise.race([answer.ended(client), interruption.wait(client)]);
  speech.close();
  // Ctrl-C ends the waiting; what the worker does is another matter.
  if (end === undefined)
    terminal.note(
      `the worker goes on; \`nagaya worker cancel ${addressText(address)} --event ${input.eventId}\` ends this input`,
    );
  else tellEnd(terminal, end);
  return end?.status === 'done' ? exitCodes.fine : exitCodes.failed;
}

/** A plugin that is not loaded has said nothing. */
const notThere = /^(?:plugin|profile)_not_found\b/;

function tellEnd(terminal: Terminal, { status, said, profile }: AnswerEnd): void {
  const plugin = pluginOf(profile);
  if (status === 'forgotten')
    terminal.note(styled('yellow', 'forgotten'), ': the input has ended, and how is no longer kept');
  else if (status !== 'done') terminal.note(styled('red', status), `: ${said}`);
  if (status === 'failed' && plugin !== undefined && !notThere.test(said))
    terminal.note(`see \`nagaya logs ${plugin}\` for what its plugin said`);
}

/** The answer alone on standard output, or every event of it as a record. */
class Speech {
  readonly #terminal: Terminal;
  #sequence: number | undefined;
  #last = '\n';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  event(event: WorkerEvent): void {
    if (this.#terminal.json) this.#terminal.record(event);
    else if (event.type === 'diagnostic') this.#terminal.note(styled('yellow', event.code), `: ${event.message}`);
  }

  text(text: string, sequence: number): void {
    if (this.#terminal.json) return;
    if (sequence !== this.#sequence) this.close();
    this.#sequence = sequence;
    this.#last = text;
    this.#terminal.part(text);
  }

  close(): void {
    if (!this.#terminal.json && !this.#last.endsWith('\n')) this.#terminal.part('\n');
    this.#last = '\n';
  }
}
