// Delivers commands: by the edge's thread, or inside the daemon as an event of a service, as an input of a worker or
// as a call of a tool, whose answers come back as events. Whether another attempt may succeed is what the registry of
// errors says of the refusal.
import { type HostError, asHostError } from '../../protocol/errors.ts';
import type { CommandAnswer, EdgeCommand } from '../../protocol/edge/messages.ts';
import { sourceKey } from '../../protocol/sources.ts';
import type {
  EventOutputSection,
  HttpOutputSection,
  MqttOutputSection,
  Output,
  ToolOutputSection,
  WorkerOutputSection,
} from '../../protocol/outputs.ts';
import type { CallWaiter } from '../tools/pending-call.ts';
import { type Command, type Delivery, type Driver, sent } from './command.ts';
import { faultOf } from './output-queue.ts';

export interface SentEvent {
  readonly ingress: string;
  readonly kind: string;
  /** The plugin that sends it. */
  readonly source: string;
  readonly correlationId: string;
  /** JSON. */
  readonly payload: string;
  readonly idempotencyKey: string;
  /** That of its command. */
  readonly key: string | undefined;
  readonly hops: number;
}

/** A command to a worker. */
export interface WorkerInput {
  readonly plugin: string;
  readonly output: string;
  readonly profile: string;
  /** Each key of an output has a worker of its own. */
  readonly key: string | undefined;
  readonly content: string;
  /** The same at each attempt; another one when a dead letter is sent again. */
  readonly inputId: string;
  readonly wantsAnswer: boolean;
}

/** What commands are delivered to. Both throw, or reject with, errors of the registry. */
export interface OutputTargets {
  publish(plugin: string, event: SentEvent): Promise<void>;
  /** By the edge's thread; one attempt. Never rejects. */
  edge(command: EdgeCommand): Promise<CommandAnswer>;
  /** Resolves once the worker has the input, or, where its answer is wanted, with that as JSON. */
  worker(input: WorkerInput, signal: AbortSignal): Promise<string | undefined>;
  callTool(
    plugin: string,
    tool: string,
    call: { readonly inputJson: string; readonly signal: AbortSignal },
    waiter: CallWaiter,
  ): void;
}

/** Refusals of a target that may be over later, whatever the registry says of a caller that waits. */
const passing: ReadonlySet<string> = new Set([
  'plugin_not_found',
  'plugin_disabled',
  'unsupported_operation',
  'service_failed',
  'service_stopped',
  'service_unavailable',
  'tool_not_found',
  'tool_cancelled',
  'runtime_unavailable',
  'runtime_unauthorized',
  'profile_not_found',
]);

function refusal(error: HostError): Delivery {
  const { retryAfterMs } = error.details;
  return passing.has(error.code) || error.retryable
    ? { is: 'retry', error: faultOf(error), ...(typeof retryAfterMs === 'number' ? { afterMs: retryAfterMs } : {}) }
    : { is: 'refused', error: faultOf(error) };
}

/** `from`: the plugin that sends. */
export function driverOf(output: Output, from: string, targets: OutputTargets): Driver {
  switch (output.type) {
    case 'event':
      return eventDriver(output, from, targets);
    case 'tool':
      return toolDriver(output, from, targets);
    case 'http':
      return httpDriver(output, targets);
    case 'websocket': {
      const key = sourceKey(from, output.source);
      return edgeDriver(targets, ({ id, json }) => ({ to: 'websocket', key, json, idempotencyKey: id }));
    }
    case 'mqtt':
      return mqttDriver(output, targets);
    case 'worker':
      return workerDriver(output, from, targets);
  }
}

const eventDriver = ({ plugin, ingress, kind }: EventOutputSection, from: string, targets: OutputTargets): Driver => ({
  send: ({ id, key, correlationId, hops, json }) => {
    const event = { ingress, kind, source: from, correlationId, payload: json, idempotencyKey: id, key, hops };
    return delivered(targets.publish(plugin, event));
  },
});

const edgeDriver = (targets: OutputTargets, commandOf: (command: Command) => EdgeCommand): Driver => ({
  async send(command) {
    const answer = await targets.edge(commandOf(command));
    if (answer.is === 'sent') return sent;
    const { is, code, message, afterMs } = answer;
    return is === 'retry' ? { is, error: { code, message }, afterMs } : { is, error: { code, message } };
  },
});

const httpDriver = ({ url, method, auth, timeoutMs }: HttpOutputSection, targets: OutputTargets): Driver =>
  edgeDriver(targets, ({ id, path, json }) => ({
    to: 'http',
    url,
    method,
    auth,
    timeoutMs,
    path,
    json,
    idempotencyKey: id,
  }));

const mqttDriver = (declared: MqttOutputSection, targets: OutputTargets): Driver => {
  const { url, auth, version, clientId, topic, qos, retain, timeoutMs } = declared;
  const fixed = { to: 'mqtt', url, auth, version, clientId, topic, qos, retain, timeoutMs } as const;
  return edgeDriver(targets, ({ id, topic: below, json }) => ({ ...fixed, below, json, idempotencyKey: id }));
};

const workerDriver = (
  { name, profile, answer }: WorkerOutputSection,
  from: string,
  targets: OutputTargets,
): Driver => ({
  async send(command, signal) {
    const { id, key, json, createdMs } = command;
    const input: WorkerInput = {
      plugin: from,
      output: name,
      profile,
      key,
      content: contentOf(json),
      // A command that is sent again after it was a dead letter is a new one for the worker.
      inputId: `${id.replaceAll('/', ':')}:${createdMs.toString(36)}`,
      wantsAnswer: answer !== undefined,
    };
    let answerJson: string | undefined;
    try {
      answerJson = await targets.worker(input, signal);
    } catch (thrown) {
      return refusal(asHostError(thrown));
    }
    if (answer === undefined || answerJson === undefined) return sent;
    return answered(targets, from, { ...answer, source: profile, payload: answerJson }, command);
  },
});

/** A text is the input as it is, anything else as JSON. */
function contentOf(json: string): string {
  const body: unknown = json.startsWith('"') ? JSON.parse(json) : undefined;
  return typeof body === 'string' ? body : json;
}

/** The answer to a command comes back to the plugin that sent it. */
const answered = (
  targets: OutputTargets,
  plugin: string,
  answer: { readonly ingress: string; readonly kind: string; readonly source: string; readonly payload: string },
  { id, key, correlationId, hops }: Command,
): Promise<Delivery> => delivered(targets.publish(plugin, { ...answer, correlationId, idempotencyKey: id, key, hops }));

const toolDriver = ({ plugin, tool, answer }: ToolOutputSection, from: string, targets: OutputTargets): Driver => ({
  async send(command, signal) {
    let outputJson: string;
    try {
      outputJson = await called(targets, plugin, tool, command, signal);
    } catch (thrown) {
      return refusal(asHostError(thrown));
    }
    return answer === undefined
      ? sent
      : answered(targets, from, { ...answer, source: plugin, payload: outputJson }, command);
  },
});

const called = (
  targets: OutputTargets,
  plugin: string,
  tool: string,
  { json }: Command,
  signal: AbortSignal,
): Promise<string> =>
  new Promise((resolve, reject) => {
    targets.callTool(
      plugin,
      tool,
      { inputJson: json, signal },
      { succeeded: (result) => resolve(result.outputJson), failed: reject },
    );
  });

async function delivered(published: Promise<void>): Promise<Delivery> {
  try {
    await published;
    return sent;
  } catch (thrown) {
    return refusal(asHostError(thrown));
  }
}
