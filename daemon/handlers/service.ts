// What the operations on services and their ingresses do.
import { HostError } from '../../protocol/errors.ts';
import { EncodedJson } from '../../protocol/json-rpc.ts';
import type { serviceOperations } from '../../protocol/operations/service.ts';
import type { ServiceStatus } from '../../protocol/status.ts';
import type { Handlers } from '../control/caller.ts';
import type { Host } from '../host.ts';
import { millis } from './millis.ts';

export function serviceHandlers(host: Host): Pick<Handlers, keyof typeof serviceOperations> {
  const { limits } = host.config;
  const statusOf = (id: string): ServiceStatus => host.get(id).requireService().status();
  return {
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
  };
}
