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
    'event.explain': ({ plugin: id, event, limit }) => host.get(id).explain(event, limit),
    'log.read': ({ plugin: id, limit, follow }, caller) => {
      const log = id === undefined ? undefined : host.get(id).log;
      // Read and subscribe in one turn: nothing can come between them.
      const { lines, truncated } = (log ?? daemonLog).recent(limit);
      const subscription = follow ? caller.subscribe({ topics: ['log'], plugin: id ?? daemonFeedName }) : undefined;
      return {
        lines,
        truncated,
        droppedLines: log?.counts.droppedLines ?? 0,
        ...(subscription === undefined ? {} : { subscriptionId: subscription.subscriptionId }),
      };
    },
  };
}
