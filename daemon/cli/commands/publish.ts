// `nagaya publish PLUGIN [PAYLOAD]`: queues one event, or many from a file or standard input, one a line.
import { createReadStream } from 'node:fs';
import type { Command } from 'commander';
import type { Client } from '../../../protocol/client/client.ts';
import type { IngressEventInput } from '../../../protocol/event.ts';
import { type EventOptions, eventBase, eventOptions } from '../event-options.ts';
import { type ExitCode, exitCodes, usageFailure } from '../failure.ts';
import { groups } from '../groups.ts';
import { type Invocation, examples, runs } from '../invocation.ts';
import { parseJson } from '../json-input.ts';
import { type NumberedLine, lineBatches } from '../ndjson.ts';
import { plural } from '../views/quantity.ts';
import { styled } from '../views/terminal.ts';
import { type Settled, publishBatch } from '../publish-batch.ts';

interface PublishOptions extends EventOptions {
  readonly file?: string;
  readonly events?: boolean;
  readonly wait?: boolean;
  readonly idempotencyKey?: string;
}

export function register(program: Command): void {
  eventOptions(program.command('publish'))
    .helpGroup(groups.use)
    .description('queue an event; answers when it is queued')
    .argument('<plugin>', 'id of a loaded plugin with a service')
    .argument('[payload]', 'JSON; - reads one payload a line from standard input')
    .option('--file <path>', 'read one payload a line from this file')
    .option('--events', 'what is given are whole events, with their own ingress and kind')
    .option('--wait', 'where the queue is full, wait for room instead of leaving events out')
    .option('--idempotency-key <key>', 'accept one event once, however often it is sent with this key')
    .addHelpText(
      'after',
      examples(
        `nagaya publish example.greeter '{"name":"Ada"}'`,
        `nagaya publish example.webhooks '{"action":"opened"}' --kind issue --source github`,
        'nagaya publish example.greeter --file people.ndjson --wait',
        'tail -f events.ndjson | nagaya publish example.greeter - --events --json',
      ),
    )
    .action(
      runs<[string, string | undefined], PublishOptions>(async (invocation, options, plugin, payload) => {
        if (payload !== undefined && options.file !== undefined)
          throw usageFailure('A payload and --file were given.', 'Give one of them.');
        const isOne = payload !== '-' && options.file === undefined;
        if (options.idempotencyKey !== undefined && (!isOne || options.events === true))
          throw usageFailure(
            'One key cannot stand for many events.',
            'Publish one event, or give whole events that have an idempotencyKey of their own with --events.',
          );
        return await invocation.withDaemon(async (client) => {
          const key = options.idempotencyKey === undefined ? {} : { idempotencyKey: options.idempotencyKey };
          const base = options.events === true ? {} : { ...(await eventBase(client, plugin, options)), ...key };
          const eventOf = (text: string, what: string): unknown => {
            const value = parseJson(text, what);
            return options.events === true ? value : { ...base, payload: value };
          };
          if (isOne) {
            return await publishOne(
              invocation,
              client,
              plugin,
              payload === undefined ? base : eventOf(payload, 'payload'),
            );
          }
          return await publishMany(invocation, client, plugin, options, eventOf);
        });
      }),
    );
}

async function publishOne({ terminal }: Invocation, client: Client, plugin: string, event: unknown): Promise<ExitCode> {
  const answer = await client.call('ingress.publish', { plugin, event });
  if ('results' in answer) throw new TypeError('one event was answered as a batch');
  terminal.answer(answer, () =>
    terminal.line(
      answer.duplicate === true
        ? 'an event with this key was accepted before'
        : `queued ${answer.eventId} (${String(answer.queueDepth)} waiting)`,
    ),
  );
  return exitCodes.fine;
}

/** A batch with its envelope must fit in one line of the socket, four bytes a character at the most. */
const maxBatchLength = 1024 * 1024;

/** A full queue refuses thousands in a row, all for one reason. */
const toldRefusals = 10;

async function publishMany(
  invocation: Invocation,
  client: Client,
  plugin: string,
  options: PublishOptions,
  eventOf: (text: string, what: string) => unknown,
): Promise<ExitCode> {
  const { terminal } = invocation;
  const { limits } = await client.call('daemon.status', {});
  const bounds = {
    count: Math.min(256, limits['publishBatch'] ?? 256),
    length: Math.min(maxBatchLength, (limits['lineBytes'] ?? maxBatchLength) / 4),
  };
  const counts = { accepted: 0, refused: 0 };
  const tell = (line: number, message: string): void => {
    if (counts.refused <= toldRefusals) terminal.complain(styled('yellow', `line ${String(line)}: `), message);
    else if (counts.refused === toldRefusals + 1)
      terminal.complain('further refusals are only counted; --json names each');
  };
  const settle = (lines: readonly NumberedLine[], { index, result }: Settled): void => {
    counts[result.accepted ? 'accepted' : 'refused'] += 1;
    const line = lines[index]?.line ?? 0;
    if (terminal.json) terminal.record({ line, ...result });
    else if (!result.accepted) tell(line, result.error.message);
  };
  for await (const lines of lineBatches(sourceOf(options), bounds)) {
    const events = lines.map(({ line, text }) =>
      eventOf(text, `payload in line ${String(line)}`),
    ) as IngressEventInput[];
    await publishBatch(client, plugin, events, options.wait === true, (settled) => settle(lines, settled));
  }
  if (!terminal.json)
    terminal.line(
      `${plural(counts.accepted, 'event')} queued${counts.refused > 0 ? `, ${String(counts.refused)} refused` : ''}`,
    );
  return counts.refused > 0 ? exitCodes.refused : exitCodes.fine;
}

async function* sourceOf({ file }: PublishOptions): AsyncGenerator<Buffer> {
  if (file === undefined || file === '-') {
    yield* process.stdin as AsyncIterable<Buffer>;
    return;
  }
  try {
    yield* createReadStream(file) as AsyncIterable<Buffer>;
  } catch (error) {
    throw usageFailure(
      `${file} cannot be read: ${(error as Error).message}.`,
      'Name a file with one JSON value a line.',
    );
  }
}
