// The parameters of the calls that carry events, which are nearly all there is to read: `ingress.publish` and
// `ingress.deliver`. The payloads stay the text they are.
import { longestMs } from '../../../protocol/durations.ts';
import { pluginIdForm } from '../../../protocol/identifiers.ts';
import { ReadEvent } from '../../dispatch/read-event.ts';
import { type JsonCursor, keyOf } from './json-cursor.ts';
import { KnownForm } from './known-form.ts';

/** Checked as they were read. */
export class EventParams {
  readonly plugin: string;
  readonly event: ReadEvent | undefined;
  readonly events: readonly ReadEvent[] | undefined;
  readonly wait: boolean;
  readonly timeoutMs: number | undefined;

  constructor(plugin: string, { event, events, wait, timeoutMs }: Parts) {
    this.plugin = plugin;
    this.event = event;
    this.events = events;
    this.wait = wait === true;
    this.timeoutMs = timeoutMs;
  }
}

interface Parts {
  plugin: string | undefined;
  event: ReadEvent | undefined;
  events: ReadEvent[] | undefined;
  wait: boolean | undefined;
  timeoutMs: number | undefined;
}

interface EventParts {
  ingress: string | undefined;
  kind: string | undefined;
  source: string | undefined;
  correlationId: string | undefined;
  idempotencyKey: string | undefined;
  key: string | undefined;
  payload: string | undefined;
}

const keys = {
  plugin: keyOf('plugin'),
  event: keyOf('event'),
  events: keyOf('events'),
  wait: keyOf('wait'),
  timeoutMs: keyOf('timeoutMs'),
  ingress: keyOf('ingress'),
  kind: keyOf('kind'),
  source: keyOf('source'),
  payload: keyOf('payload'),
  correlationId: keyOf('correlationId'),
  idempotencyKey: keyOf('idempotencyKey'),
  key: keyOf('key'),
} as const;
const yes = Buffer.from('true');
const no = Buffer.from('false');

/** Message, parameters and event stand around a payload; a list of events is one more. */
const levelsAround = 4;
const defaultSource = 'client';

export class EventParamsReader {
  readonly #cursor: JsonCursor;
  readonly #mostEvents: number;
  readonly #plugins = new KnownForm(pluginIdForm);

  constructor(cursor: JsonCursor, mostEvents: number) {
    this.#cursor = cursor;
    this.#mostEvents = mostEvents;
  }

  /** A delivery has one event, and nobody to wait for. */
  read(publishing: boolean): EventParams | undefined {
    const parts: Parts = {
      plugin: undefined,
      event: undefined,
      events: undefined,
      wait: undefined,
      timeoutMs: undefined,
    };
    if (!this.#cursor.opensObject()) return undefined;
    do {
      if (!this.#member(parts, publishing)) return undefined;
    } while (this.#cursor.nextMember());
    const { plugin, event, events } = parts;
    return plugin === undefined || (event ?? events) === undefined ? undefined : new EventParams(plugin, parts);
  }

  /** False: it is not for this reader. No member may come twice. */
  #member(parts: Parts, publishing: boolean): boolean {
    const cursor = this.#cursor;
    if (parts.plugin === undefined && cursor.key(keys.plugin))
      return (parts.plugin = cursor.textOf(this.#plugins)) !== undefined;
    if ((parts.event ?? parts.events) === undefined) {
      if (cursor.key(keys.event)) return (parts.event = this.#event()) !== undefined;
      if (publishing && cursor.key(keys.events)) return (parts.events = this.#events()) !== undefined;
    }
    if (parts.timeoutMs === undefined && cursor.key(keys.timeoutMs))
      return (parts.timeoutMs = cursor.count(1, longestMs)) !== undefined;
    if (!publishing || parts.wait !== undefined || !cursor.key(keys.wait)) return false;
    parts.wait = cursor.literal(yes);
    return parts.wait || cursor.literal(no);
  }

  #events(): ReadEvent[] | undefined {
    const events: ReadEvent[] = [];
    if (!this.#cursor.opensList()) return undefined;
    do {
      const event = this.#event();
      if (event === undefined || events.length === this.#mostEvents) return undefined;
      events.push(event);
    } while (this.#cursor.nextItem());
    return events;
  }

  #event(): ReadEvent | undefined {
    const parts: EventParts = {
      ingress: undefined,
      kind: undefined,
      source: undefined,
      correlationId: undefined,
      idempotencyKey: undefined,
      key: undefined,
      payload: undefined,
    };
    if (!this.#cursor.opensObject()) return undefined;
    do {
      if (!this.#eventMember(parts)) return undefined;
    } while (this.#cursor.nextMember());
    const { ingress, kind, source = defaultSource, correlationId, idempotencyKey, key, payload } = parts;
    if (ingress === undefined || kind === undefined || payload === undefined) return undefined;
    return new ReadEvent({ ingress, kind, source, correlationId, idempotencyKey, key }, payload);
  }

  #eventMember(parts: EventParts): boolean {
    const cursor = this.#cursor;
    if (parts.ingress === undefined && cursor.key(keys.ingress)) return (parts.ingress = cursor.text()) !== undefined;
    if (parts.kind === undefined && cursor.key(keys.kind)) return (parts.kind = cursor.text()) !== undefined;
    if (parts.source === undefined && cursor.key(keys.source)) return (parts.source = cursor.text()) !== undefined;
    if (parts.correlationId === undefined && cursor.key(keys.correlationId))
      return (parts.correlationId = cursor.ownText()) !== undefined;
    if (parts.idempotencyKey === undefined && cursor.key(keys.idempotencyKey))
      return (parts.idempotencyKey = cursor.ownText()) !== undefined;
    if (parts.key === undefined && cursor.key(keys.key)) return (parts.key = cursor.ownText()) !== undefined;
    return (
      parts.payload === undefined &&
      cursor.key(keys.payload) &&
      (parts.payload = cursor.json(levelsAround)) !== undefined
    );
  }
}
