// What the operations on services and their ingresses do.
import { HostError } from '../../protocol/errors.ts';
import { EncodedJson } from '../../protocol/json-rpc.ts';
import type { serviceOperations } from '../../protocol/operations/service.ts';
import type { OperationParams, OperationResult } from '../../protocol/operations.ts';
import type { ServiceStatus } from '../../protocol/status.ts';
import { plural } from '../../protocol/plural.ts';
import type { Handlers } from './caller.ts';
import { Deferred } from './deferred.ts';
import type { Host } from '../host/host.ts';
import type { Service } from '../services/service.ts';
import type { Accepted, Refused } from '../services/admitted.ts';
import type { Handled } from '../dispatch/queued-event.ts';
import { millis } from './millis.ts';

/** By hand, because every event has one: an id holds nothing that JSON would escape. */
const acceptedText = (answer: Accepted | Refused): string =>
  answer.accepted
    ? `{"accepted":true,${answer.duplicate === true ? '"duplicate":true,' : ''}"eventId":"${answer.eventId}","correlationId":"${answer.correlationId}","queueDepth":${String(answer.queueDepth)}}`
    : JSON.stringify(answer);

const handledText = ({ eventId, correlationId, attempt, json, queuedMs, durationMs }: Handled): EncodedJson =>
  new EncodedJson(
    `{"eventId":"${eventId}","correlationId":"${correlationId}","attempt":${String(attempt)},"output":`,
    json,
    `,"queuedMs":${millis(queuedMs)},"durationMs":${millis(durationMs)}}`,
  );

const asList = (answers: readonly (Accepted | Refused)[]): EncodedJson =>
  new EncodedJson(`{"results":[${answers.map(acceptedText).join(',')}]}`);

/** A single event that is refused is the refusal of the call. */
function asOne(answer: Accepted | Refused | undefined): EncodedJson {
  if (answer?.accepted !== true)
    throw answer === undefined
      ? new HostError('internal', 'An event had no answer.')
      : new HostError(answer.error.code, answer.error.message, answer.error.details);
  return new EncodedJson(acceptedText(answer));
}

/** At most `most` of them. */
function eventsOf({ event, events }: OperationParams<'ingress.publish'>, most: number): readonly unknown[] {
  if (events === undefined) {
    if (event === undefined)
      throw new HostError('invalid_request', 'Give `event`, or `events` for a batch.', {
        issues: [{ path: 'event', message: 'missing' }],
      });
    return [event];
  }
  if (event !== undefined)
    throw new HostError('invalid_request', 'Give `event` or `events`, not both.', {
      issues: [{ path: 'events', message: 'given beside event' }],
    });
  if (events.length > most) {
    throw new HostError(
      'limit_too_large',
      `A batch holds at most ${plural(most, 'event')}; this one has ${String(events.length)}; limits.publishBatch sets this bound.`,
      { limit: 'limits.publishBatch', maximum: most },
    );
  }
  return events;
}

type PublishAnswer = OperationResult<'ingress.publish'> | EncodedJson;

/** Answered when the event is on disk. */
function storeOne(service: Service, event: unknown): Deferred<PublishAnswer> {
  const later = new Deferred<PublishAnswer>({ isBrief: true });
  service.store(event, (outcome) =>
    outcome instanceof HostError ? later.reject(outcome) : later.resolve(new EncodedJson(acceptedText(outcome))),
  );
  return later;
}

/** Answered when all of them are on disk or refused. */
function storeAll(service: Service, events: readonly unknown[]): Deferred<PublishAnswer> {
  const later = new Deferred<PublishAnswer>({ isBrief: true });
  const answers = new Array<Accepted | Refused>(events.length);
  let open = events.length;
  for (const [index, event] of events.entries())
    service.storeOne(event, (answer) => {
      answers[index] = answer;
      open -= 1;
      if (open === 0) later.resolve(asList(answers));
    });
  return later;
}

export function serviceHandlers(host: Host): Pick<Handlers, keyof typeof serviceOperations> {
  const { limits } = host.config;
  const statusOf = (id: string): ServiceStatus => host.get(id).requireService().status();
  const stateOf = async (id: string): Promise<EncodedJson> => {
    const { json, bytes } = await host.get(id).requireService().state();
    return new EncodedJson(`{"state":${json},"bytes":${String(bytes)}}`);
  };
  return {
    'service.list': () => ({
      services: host.list().flatMap(({ service }) => (service === undefined ? [] : [service.status()])),
    }),
    'service.status': async ({ plugin: id, wait }) => {
      const service = host.get(id).requireService().measured();
      const refreshed = service.refreshReported();
      if (wait) await refreshed;
      return service.status();
    },
    'service.state': ({ plugin: id }) => stateOf(id),
    'service.start': async ({ plugin: id }) => {
      // Also of a start that fails: the next daemon tries again.
      const wanted = host.wants(id, 'running');
      await host.start(id);
      await wanted;
      return statusOf(id);
    },
    'service.stop': async ({ plugin: id, now, discard }) => {
      const service = host.get(id).requireService();
      const wanted = host.wants(id, 'stopped');
      const { discarded, error } = await host.stop(id, { now, discard });
      await wanted;
      // What was on its way to the disk when the stop came may have been accepted since.
      const status = service.status();
      return { ...status, kept: status.queue.depth, discarded, error: error?.toWire() ?? null };
    },
    'service.restart': async ({ plugin: id }) => {
      const wanted = host.wants(id, 'running');
      const events = await host.restart(id);
      await wanted;
      return { ...statusOf(id), ...events };
    },
    'ingress.publish': (params, caller) => {
      const { plugin: id, event, wait, timeoutMs = limits.deliverMs } = params;
      const service = host.get(id).requireIngresses();
      const events = eventsOf(params, limits.publishBatch);
      if (!wait && service.stores) return event === undefined ? storeAll(service, events) : storeOne(service, event);
      if (!wait)
        return event === undefined
          ? asList(events.map((one) => service.publishToMemory(one)))
          : asOne(service.publishToMemory(event));
      const asWanted =
        event === undefined ? asList : ([only]: readonly (Accepted | Refused)[]): EncodedJson => asOne(only);
      const results = service.publishPatiently(events, timeoutMs, () => caller.signal);
      return results instanceof Promise ? Deferred.of(results.then(asWanted), { holds: true }) : asWanted(results);
    },
    'ingress.deliver': ({ plugin: id, event, timeoutMs = limits.deliverMs }) => {
      const answer = new Deferred<OperationResult<'ingress.deliver'> | EncodedJson>();
      host
        .get(id)
        .requireIngresses()
        .deliverTo(event, timeoutMs, {
          handled: (outcome) => answer.resolve(handledText(outcome)),
          refused: (error) => answer.reject(error),
        });
      return answer;
    },
  };
}
