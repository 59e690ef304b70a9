// What the operations on services and their ingresses do.
import { HostError } from '../../protocol/errors.ts';
import { EncodedJson } from '../../protocol/json-rpc.ts';
import type { serviceOperations } from '../../protocol/operations/service.ts';
import type { ServiceStatus } from '../../protocol/status.ts';
import type { Handlers } from '../control/caller.ts';
import type { Host } from '../host.ts';
import type { Accepted, Refused } from '../services/service.ts';
import { millis } from './millis.ts';

/** By hand, because every event has one: an id holds nothing that JSON would escape. */
const acceptedText = (answer: Accepted | Refused): string =>
  answer.accepted ? `{"accepted":true,"correlationId":"${answer.correlationId}","queueDepth":${String(answer.queueDepth)}}` : JSON.stringify(answer);

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
        return new EncodedJson(acceptedText(service.publish(event)));
      }
      if (event !== undefined) throw new HostError('invalid_request', 'Give `event` or `events`, not both.', { issues: [{ path: 'events', message: 'given beside event' }] });
      if (events.length > limits.publishBatch) {
        throw new HostError('limit_too_large', `A batch holds at most ${String(limits.publishBatch)} events; this one has ${String(events.length)}.`, { limit: 'limits.publishBatch', maximum: limits.publishBatch });
      }
      return new EncodedJson(`{"results":[${events.map((one) => acceptedText(service.publishOne(one))).join(',')}]}`);
    },
    'ingress.deliver': async ({ plugin: id, event, timeoutMs }) => {
      const { correlationId, attempt, json, queuedMs, durationMs } = await host.get(id).requireService().deliver(event, timeoutMs ?? limits.deliverMs);
      return new EncodedJson(`{"correlationId":"${correlationId}","attempt":${String(attempt)},"output":${json},"queuedMs":${millis(queuedMs)},"durationMs":${millis(durationMs)}}`);
    },
  };
}
