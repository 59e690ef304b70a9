// Tells of a failure in the three places where one looks for it: the plugin's timeline, the logs and the live feed. One
// function, so that a failed event, call or input is told in the same way and none of the places is forgotten.
import type { HostError } from '../../protocol/errors.ts';
import type { FeedEvent, TimelineEntry } from '../../protocol/operations/telemetry.ts';

export interface FailureOutlets {
  timeline(entry: Omit<TimelineEntry, 'sequence' | 'at'>): void;
  feed(event: FeedEvent): void;
  log(level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>): void;
}

export interface FailurePlace {
  readonly pluginId: string;
  readonly at: string;
  /** 0 for what runs in no service: a call of a tool. */
  readonly incarnation: number;
  /** Of the event, the input or the call. */
  readonly ids: { readonly eventId?: string; readonly correlationId?: string };
  readonly stack?: string | undefined;
}

export function tellFailure(
  outlets: FailureOutlets,
  error: HostError,
  { pluginId, at, incarnation, ids, stack }: FailurePlace,
): void {
  outlets.timeline({
    level: 'error',
    event: error.code,
    message: error.message,
    incarnation,
    ...ids,
    data: { ...error.details },
  });
  outlets.log('error', error.message, {
    incarnation,
    code: error.code,
    ...ids,
    ...(stack === undefined ? {} : { stack }),
  });
  outlets.feed({ topic: 'failure', at, plugin: pluginId, data: { ...error.toWire(), incarnation, ...ids } });
}
