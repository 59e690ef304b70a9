// The commands of one event: what its handler sends to the outputs of its service. They are checked here, so that what
// cannot be sent is the plugin's own error, and leave with the event's outcome.
import { HostError } from '../protocol/errors.ts';
import { type SentCommand, mostCommandKeyLength, mostCommandPathLength } from '../protocol/cell/effects.ts';
import type { OutputOptions } from '../protocol/cell/messages.ts';
import { captured, stringifyJson } from './primitives.ts';
import type { SendOptions } from './sdk/index.ts';

const noOutputs: OutputOptions = { names: [], maxCommands: 0, maxCommandBytes: 0 };

export class EventCommands {
  readonly #eventId: string;
  readonly #options: OutputOptions;
  readonly #commands: SentCommand[] = [];

  constructor(eventId: string, options: OutputOptions = noOutputs) {
    this.#eventId = eventId;
    this.#options = options;
  }

  /** Undefined where there are none. */
  get sent(): readonly SentCommand[] | undefined {
    return this.#commands.length === 0 ? undefined : this.#commands;
  }

  /** Returns the command's id. */
  add(output: string, body: unknown, options: SendOptions): string {
    const { names, maxCommands } = this.#options;
    if (!names.includes(output))
      throw new HostError(
        'output_not_found',
        `The service declares no output ${JSON.stringify(output)}${names.length === 0 ? '' : `; it has ${names.join(', ')}`}.`,
        { output, outputs: names },
      );
    if (this.#commands.length >= maxCommands)
      throw new HostError(
        'too_many_commands',
        `One event may send ${String(maxCommands)} commands; limits.commandsPerEvent sets this bound.`,
        { limit: 'limits.commandsPerEvent', maximum: maxCommands },
      );
    const key = checkedOption('key', options.key, mostCommandKeyLength);
    const path = checkedOption('path', options.path, mostCommandPathLength);
    const topic = checkedOption('topic', options.topic, mostCommandPathLength);
    this.#commands.push({
      output,
      json: this.#jsonOf(output, body),
      ...(key === undefined ? {} : { key }),
      ...(path === undefined ? {} : { path }),
      ...(topic === undefined ? {} : { topic }),
    });
    return `${this.#eventId}/${String(this.#commands.length)}`;
  }

  #jsonOf(output: string, body: unknown): string {
    const json = stringifyJson(body);
    if (json === undefined)
      throw new TypeError(`ctx.send(${JSON.stringify(output)}, …): the body is not JSON: it is a ${typeof body}`);
    const bytes = captured.byteLength(json);
    const { maxCommandBytes } = this.#options;
    if (bytes > maxCommandBytes)
      throw new HostError(
        'command_too_large',
        `The command to ${output} has ${String(bytes)} bytes of JSON; limits.commandBytes allows ${String(maxCommandBytes)}.`,
        { output, bytes, limit: 'limits.commandBytes', maximum: maxCommandBytes },
      );
    return json;
  }
}

function checkedOption(name: string, value: unknown, mostLength: number): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '' || value.length > mostLength || /\p{Surrogate}/u.test(value))
    throw new TypeError(`the option ${name} of ctx.send must be a text of 1 to ${String(mostLength)} characters`);
  return value;
}
