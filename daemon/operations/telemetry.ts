// What the operations do by which an operator sees what happened.
import type { telemetryOperations } from '../../protocol/operations/telemetry.ts';
import type { Handlers } from './caller.ts';
import type { Host } from '../host/host.ts';
import { type DaemonLog, daemonFeedName } from '../telemetry/daemon-log.ts';

export function telemetryHandlers(
  host: Host,
  daemonLog: Pick<DaemonLog, 'recent'>,
): Pick<Handlers, keyof typeof telemetryOperations> {
  return {
    'events.subscribe': ({ topics, plugin }, caller) => {
      if (plugin !== undefined) host.get(plugin);
      const { subscriptionId, buffer } = caller.subscribe({ topics, ...(plugin === undefined ? {} : { plugin }) });
      return { subscriptionId, topics, buffer };
    },
    'events.unsubscribe': ({ subscriptionId }, caller) => caller.unsubscribe(subscriptionId),
    'timeline.read': ({ plugin: id, after, limit }) => host.get(id).history.page(after, limit),
    'event.explain': async ({ plugin: id, event, limit }) => {
      const hosted = host.get(id);
      const story = await hosted.explain(event, limit);
      return { ...story, explanation: event === undefined ? hosted.explanation(await host.edge.list(id)) : [] };
    },
    'log.read': async ({ plugin: id, limit, since, level, follow }, caller) => {
      const log = id === undefined ? undefined : host.get(id).log;
      const wanted = { sinceMs: since === undefined ? undefined : Date.parse(since), level };
      const read = await log?.read({ ...wanted, limit });
      // What came meanwhile is read and the rest subscribed to in one turn: nothing can come between them.
      const newer = log === undefined || read === undefined ? [] : log.after(read, { ...wanted, limit });
      const { lines, truncated } = read ?? daemonLog.recent(limit, wanted);
      const subscription = follow ? caller.subscribe({ topics: ['log'], plugin: id ?? daemonFeedName }) : undefined;
      const all = [...lines, ...newer];
      return {
        lines: all.slice(Math.max(0, all.length - limit)),
        truncated: truncated || all.length > limit,
        droppedLines: log?.counts.droppedLines ?? 0,
        ...(subscription === undefined ? {} : { subscriptionId: subscription.subscriptionId }),
      };
    },
  };
}
