// What each operation does: the one place where the table's names meet the host. Nothing here knows of a wire.
import type { OperationResult } from '../protocol/operations.ts';
import { HostError } from '../protocol/errors.ts';
import { EncodedJson } from '../protocol/json-rpc.ts';
import type { ServiceStatus } from '../protocol/status.ts';
import type { Handlers } from './control/caller.ts';
import type { Host } from './host.ts';
import type { DaemonLog } from './telemetry/daemon-log.ts';

export interface HandlerDeps {
  readonly host: Host;
  readonly daemonLog: Pick<DaemonLog, 'recent'>;
  status(): OperationResult<'daemon.status'>;
  /** Begins the shutdown and returns at once. */
  shutdown(reason: string): void;
}

/** How the daemon's own log is named in the feed, where every plugin has its id. */
export const daemonFeedName = '';

export function handlers({ host, daemonLog, status, shutdown }: HandlerDeps): Handlers {
  const { limits } = host.config;
  const statusOf = (id: string): ServiceStatus => host.get(id).requireService().status();
  return {
    'daemon.status': () => status(),
    'daemon.ping': () => ({ pong: true, at: new Date().toISOString() }),
    'daemon.shutdown': () => {
      shutdown('daemon.shutdown was called');
      return { shuttingDown: true, pid: process.pid, withinMs: limits.shutdownMs };
    },

    'plugin.list': () => ({ plugins: host.list().map((hosted) => hosted.summary()), invalid: [...host.catalog.invalid] }),
    'plugin.show': ({ plugin: id }) => {
      const hosted = host.get(id);
      const { folder, manifest, overridden, notes } = hosted.plugin;
      return { plugin: hosted.summary(), path: folder, manifest, overridden: [...overridden], notes: [...notes] };
    },
    'plugin.load': async ({ path }) => ({ plugin: (await host.load(path)).summary() }),
    'plugin.reload': async ({ plugin: id }) => {
      const hosted = await host.reload(id);
      return { plugin: hosted.summary(), incarnation: hosted.service?.incarnation ?? 0 };
    },
    'plugin.unload': async ({ plugin: id }) => {
      await host.unload(id);
      return { plugin: { id, state: 'unloaded' } };
    },

    'service.list': () => ({ services: host.list().flatMap(({ service }) => (service === undefined ? [] : [service.status()])) }),
    'service.status': async ({ plugin: id, wait }) => {
      const service = host.get(id).requireService();
      const refreshed = service.refreshReported();
      if (wait) await refreshed;
      return service.status();
    },
    'service.start': async ({ plugin: id }) => {
      await host.start(id);
      return statusOf(id);
    },
    'service.stop': async ({ plugin: id, now }) => {
      await host.get(id).requireService().stop({ now });
      return statusOf(id);
    },
    'service.restart': async ({ plugin: id }) => {
      await host.restart(id);
      return statusOf(id);
    },

    'ingress.publish': ({ plugin: id, event, events }) => {
      const service = host.get(id).requireService();
      if (events === undefined) {
        if (event === undefined) throw new HostError('invalid_request', 'Give `event`, or `events` for a batch.', { issues: [{ path: 'event', message: 'missing' }] });
        return service.publish(event);
      }
      if (event !== undefined) throw new HostError('invalid_request', 'Give `event` or `events`, not both.', { issues: [{ path: 'events', message: 'given beside event' }] });
      if (events.length > limits.publishBatch) {
        throw new HostError('limit_too_large', `A batch holds at most ${String(limits.publishBatch)} events; this one has ${String(events.length)}.`, { limit: 'limits.publishBatch', maximum: limits.publishBatch });
      }
      return { results: events.map((one) => service.publishOne(one)) };
    },
    'ingress.deliver': async ({ plugin: id, event, timeoutMs }) => {
      const { correlationId, attempt, json, queuedMs, durationMs } = await host.get(id).requireService().deliver(event, timeoutMs ?? limits.deliverMs);
      return new EncodedJson(`{"correlationId":${JSON.stringify(correlationId)},"attempt":${String(attempt)},"output":${json},"queuedMs":${millis(queuedMs)},"durationMs":${millis(durationMs)}}`);
    },

    'deadLetter.list': ({ plugin: id, after, limit }) => host.get(id).requireDeadLetters().list(after, limit),
    'deadLetter.show': ({ plugin: id, id: letter }) => ({ deadLetter: host.get(id).requireDeadLetters().get(letter) }),
    'deadLetter.replay': ({ plugin: id, ids }) => ({ results: host.get(id).replay(ids) }),
    'deadLetter.discard': ({ plugin: id, ids }) => ({ discarded: host.get(id).requireDeadLetters().remove(ids) }),

    'tool.list': ({ plugin: id }) => ({
      tools: (id === undefined ? host.list() : [host.get(id)]).flatMap(({ plugin }) =>
        plugin.manifest.tools.map(({ name, description, inputSchema, outputSchema, isolation, timeoutMs }) => ({ plugin: plugin.id, name, description, inputSchema, outputSchema, isolation, timeoutMs })),
      ),
    }),
    'tool.call': async ({ plugin: id, tool, input, timeoutMs, callId }, caller) => {
      const hosted = host.get(id);
      hosted.requireEnabled();
      const call = host.toolCalls.begin(callId, caller.signal);
      try {
        const { outputJson, durationMs } = await hosted.tools.call({
          tool,
          input: input ?? null,
          signal: call.signal,
          ...(timeoutMs === undefined ? {} : { timeoutMs }),
          ...(callId === undefined ? {} : { callId }),
        });
        return new EncodedJson(`{"output":${outputJson},"durationMs":${millis(durationMs)}}`);
      } finally {
        call.end();
      }
    },
    'tool.cancel': ({ callId }) => ({ cancelled: host.toolCalls.cancel(callId) }),

    'events.subscribe': ({ topics, plugin }, caller) => {
      if (plugin !== undefined) host.get(plugin);
      const { subscriptionId, buffer } = caller.subscribe({ topics, ...(plugin === undefined ? {} : { plugin }) });
      return { subscriptionId, topics, buffer };
    },
    'events.unsubscribe': ({ subscriptionId }, caller) => caller.unsubscribe(subscriptionId),
    'timeline.read': ({ plugin: id, after, limit }) => host.get(id).timeline.read(after, limit),
    'log.read': ({ plugin: id, limit, follow }, caller) => {
      const log = id === undefined ? undefined : host.get(id).log;
      // Read and subscribe in one turn: nothing can come between them.
      const { lines, truncated } = (log ?? daemonLog).recent(limit);
      const subscription = follow ? caller.subscribe({ topics: ['log'], plugin: id ?? daemonFeedName }) : undefined;
      return { lines, truncated, droppedLines: log?.counts.droppedLines ?? 0, ...(subscription === undefined ? {} : { subscriptionId: subscription.subscriptionId }) };
    },
  };
}

const millis = (milliseconds: number): string => String(Math.round(milliseconds * 1000) / 1000);
