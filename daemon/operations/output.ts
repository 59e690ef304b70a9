// What the operations on outputs do.
import type { outputOperations } from '../../protocol/operations/output.ts';
import { EncodedJson } from '../../protocol/json-rpc.ts';
import type { Handlers } from './caller.ts';
import type { Host } from '../host/host.ts';
import type { Command } from '../outputs/command.ts';
import type { PluginOutputs } from '../outputs/plugin-outputs.ts';

const instant = (ms: number): string => new Date(ms).toISOString();

/** Its body is JSON that a plugin has made, and is passed on as it is. */
function commandText({ json, ...command }: Command, more: Readonly<Record<string, unknown>>): string {
  const { id, key, path, topic, eventId, correlationId, createdMs } = command;
  const head = JSON.stringify({
    id,
    key: key ?? null,
    path,
    topic,
    eventId,
    correlationId,
    createdAt: instant(createdMs),
    ...more,
  });
  return `${head.slice(0, -1)},"body":${json}}`;
}

export function outputHandlers(host: Host): Pick<Handlers, keyof typeof outputOperations> {
  const outputsOf = (plugin: string): PluginOutputs => {
    const hosted = host.get(plugin);
    hosted.requireService();
    return hosted.outputs;
  };
  return {
    'output.list': ({ plugin }) => ({
      outputs: (plugin === undefined ? host.list() : [host.get(plugin)]).flatMap(({ outputs }) => outputs.list()),
    }),
    'output.show': ({ plugin, output, limit }) => {
      const { status, pending, dead } = outputsOf(plugin).show(output, limit);
      const waiting = pending.map(({ command, attempts, lastError, nextMs }) =>
        commandText(command, {
          attempts,
          nextAt: nextMs === undefined ? null : instant(nextMs),
          error: lastError ?? null,
        }),
      );
      const letters = dead.map(({ attempts, reason, deadMs, error, ...command }) =>
        commandText(command, { attempts, reason, deadAt: instant(deadMs), error }),
      );
      return new EncodedJson(
        `{"output":${JSON.stringify(status)},"pending":[${waiting.join(',')}],"deadLetters":[${letters.join(',')}]}`,
      );
    },
    'output.retry': ({ plugin, output, ids }) => ({ retried: outputsOf(plugin).retry(output, ids) }),
    'output.discard': ({ plugin, output, ids }) => ({ discarded: outputsOf(plugin).discard(output, ids) }),
  };
}
