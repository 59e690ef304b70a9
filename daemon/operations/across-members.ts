// Passes calls on to the member of the cluster that can answer them: the one that has the live instance of a service,
// or one that has a plugin which is not loaded here. What another member asks is answered here or not at all.
import { HostError } from '../../protocol/errors.ts';
import { EncodedJson } from '../../protocol/json-rpc.ts';
import { type OperationName, type OperationResult, operations } from '../../protocol/operations.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { ReadEvent } from '../dispatch/read-event.ts';
import type { Host } from '../host/host.ts';
import type { Caller, Handlers } from './caller.ts';
import { Deferred } from './deferred.ts';

const serviceCalls = [
  'ingress.publish',
  'ingress.deliver',
  'deadLetter.list',
  'deadLetter.show',
  'deadLetter.replay',
  'deadLetter.discard',
] as const;

interface ServiceCall {
  readonly plugin: string;
  readonly timeoutMs?: number;
  readonly event?: { readonly key?: string };
}

/** The deadline is the tool's own, on its member: here a call ends with its caller, or with the member. */
const longestCallMs = 86_400_000;

export function acrossMembers(host: Host, cluster: Cluster, handlers: Handlers): Handlers {
  const passOn = (member: string, operation: OperationName, params: object, timeoutMs: number, signal: AbortSignal) =>
    Deferred.of<EncodedJson>(
      cluster
        .ask({ member, operation, params: paramsJson(operation, params), timeoutMs, signal })
        .then((json) => new EncodedJson(json)),
      { holds: false },
    );

  /** The member that answers for the service; undefined: this one. */
  const answering = (operation: (typeof serviceCalls)[number], plugin: string, key?: string): string | undefined => {
    if (!host.catalog.has(plugin)) {
      const member = cluster.memberWithService(plugin, key);
      return member === undefined ? undefined : requireLiving(cluster, member, plugin);
    }
    const placed = cluster.placed(plugin);
    if (placed?.placement === 'shared' && operation === 'ingress.deliver') {
      const member = placed.memberFor(key);
      return member === null || member === cluster.member ? undefined : requireLiving(cluster, member, plugin);
    }
    // What is published goes to the stream from wherever it is.
    if (placed === undefined || placed.fence !== undefined || operation === 'ingress.publish') return undefined;
    // Each member answers for its own instance.
    if (placed.placement === 'each') return undefined;
    const { member, waits } = placed.status();
    if (member === null || member === cluster.member) {
      if (operation !== 'ingress.deliver') return undefined;
      throw new HostError('service_unavailable', `The service of ${plugin} runs nowhere now: ${waits ?? ''}.`, {
        plugin,
      });
    }
    return member;
  };

  const passed = Object.fromEntries(
    serviceCalls.map((name) => [
      name,
      (params: ServiceCall, caller: Caller) => {
        const member = caller.member === undefined ? answering(name, params.plugin, params.event?.key) : undefined;
        const timeoutMs = params.timeoutMs ?? host.config.limits.deliverMs;
        return member === undefined
          ? (handlers[name] as (params: unknown, caller: Caller) => unknown)(params, caller)
          : passOn(member, name, params, timeoutMs, caller.signal);
      },
    ]),
  ) as unknown as Pick<Handlers, (typeof serviceCalls)[number]>;

  return {
    ...handlers,
    ...passed,
    'tool.call': (params, caller) => {
      const member =
        caller.member === undefined && !host.catalog.has(params.plugin)
          ? cluster.memberWithTools(params.plugin)
          : undefined;
      if (member === undefined) return handlers['tool.call'](params, caller);
      const { callId, progress: _progress, ...call } = params;
      const named = callId === undefined ? undefined : host.toolCalls.begin(callId, caller.signal);
      const answer = passOn(member, 'tool.call', call, longestCallMs, named?.signal ?? caller.signal);
      return Deferred.of<OperationResult<'tool.call'> | EncodedJson>(
        answer.promise.finally(() => named?.end()),
        { holds: false },
      );
    },
  };
}

/** What another member takes over in a moment is not asked of one that is lost. */
function requireLiving(cluster: Cluster, member: string, plugin: string): string {
  if (!cluster.isLost(member)) return member;
  const message = `The member ${member}, which has the service of ${plugin}, is lost.`;
  throw new HostError('service_unavailable', message, { plugin });
}

/** As it was sent: what the host has not read is passed on unread. */
function paramsJson(operation: OperationName, params: object): string {
  // What was read off the wire without being built has more fields than the operation.
  const { shape } = operations[operation].params;
  const own = Object.fromEntries(Object.entries(params).filter(([key]) => Object.hasOwn(shape, key)));
  return objectJson(own, (value) => (Array.isArray(value) ? `[${value.map(partJson).join(',')}]` : partJson(value)));
}

function partJson(value: unknown): string {
  if (value instanceof EncodedJson) return value.text;
  if (!(value instanceof ReadEvent)) return JSON.stringify(value);
  const { payload, payloadBytes: _bytes, ...parts } = value;
  return objectJson({ ...parts, payload: new EncodedJson(payload) }, partJson);
}

const objectJson = (fields: object, valueJson: (value: unknown) => string): string =>
  `{${Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${JSON.stringify(key)}:${valueJson(value)}`)
    .join(',')}}`;
