// Delivers commands inside the daemon: as an event of a service, or as a call of a tool whose answer comes back as an
// event. Whether another attempt may succeed is what the registry of errors says of the refusal.
import { type HostError, asHostError } from '../../protocol/errors.ts';
import type { HttpAnswer, HttpRequest } from '../../protocol/edge/messages.ts';
import type { EventOutputSection, HttpOutputSection, Output, ToolOutputSection } from '../../protocol/outputs.ts';
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
  readonly hops: number;
}

/** What commands are delivered to. Both throw, or reject with, errors of the registry. */
export interface OutputTargets {
  publish(plugin: string, event: SentEvent): Promise<void>;
  /** One attempt. Never rejects. */
  http(request: HttpRequest): Promise<HttpAnswer>;
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
  }
}

const eventDriver = ({ plugin, ingress, kind }: EventOutputSection, from: string, targets: OutputTargets): Driver => ({
  send: ({ id, correlationId, hops, json }) =>
    delivered(
      targets.publish(plugin, { ingress, kind, source: from, correlationId, payload: json, idempotencyKey: id, hops }),
    ),
});

const httpDriver = ({ url, method, auth, timeoutMs }: HttpOutputSection, targets: OutputTargets): Driver => ({
  async send({ id, path, json }) {
    const answer = await targets.http({ url, method, auth, timeoutMs, path, json, idempotencyKey: id });
    if (answer.is === 'sent') return sent;
    const { is, code, message, afterMs } = answer;
    return is === 'retry' ? { is, error: { code, message }, afterMs } : { is, error: { code, message } };
  },
});

const toolDriver = ({ plugin, tool, answer }: ToolOutputSection, from: string, targets: OutputTargets): Driver => ({
  async send(command, signal) {
    let outputJson: string;
    try {
      outputJson = await called(targets, plugin, tool, command, signal);
    } catch (thrown) {
      return refusal(asHostError(thrown));
    }
    if (answer === undefined) return sent;
    return delivered(
      targets.publish(from, {
        ...answer,
        source: plugin,
        correlationId: command.correlationId,
        payload: outputJson,
        idempotencyKey: command.id,
        hops: command.hops,
      }),
    );
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
