// An mqtt source: one connection with a session that the broker keeps, so that what comes while the daemon is away
// comes later. A message is acknowledged once its event is accepted, and the next one is read then.
import { randomBytes } from 'node:crypto';
import type { EdgeSource, MemoryEntry } from '../../protocol/edge/messages.ts';
import type { MqttSource } from '../../protocol/sources.ts';
import type { DriverContext, SourceDriver, SourceEvent } from './driver.ts';
import { senderNames } from './identifier.ts';
import { scalarAt } from './json-pointer.ts';
import { KeptConnection } from './kept-connection.ts';
import { type BrokerEnd, type BrokerMessage, BrokerConnection } from './mqtt-connection.ts';
import { nestsDeeper, tooDeep } from './nesting.ts';
import { OrderedEvents } from './ordered-events.ts';

/** The broker forgets a session, and what it holds for it, after so long without its daemon. */
const sessionSeconds = 7 * 24 * 3600;
/** What is remembered: the client id, and the filters that the session holds. */
const idEntry = 'client';
const filtersEntry = 'filters';

export class MqttDriver implements SourceDriver {
  readonly #context: DriverContext;
  readonly #declaration: MqttSource;
  readonly #kept: KeptConnection<BrokerConnection>;
  readonly #events: OrderedEvents;
  #source: EdgeSource;
  #clientId = '';
  /** As the session of the broker may hold them. */
  #subscribed: readonly string[] = [];

  constructor(context: DriverContext) {
    this.#context = context;
    this.#source = context.source;
    // The driver is made for sources of this type alone.
    this.#declaration = context.source.declaration as MqttSource;
    this.#events = new OrderedEvents(context, () => undefined);
    this.#kept = new KeptConnection(context, {
      peer: 'The broker',
      auth: this.#declaration.auth,
      backoffMs: this.#declaration.reconnect.backoffMs,
      connect: (password) => this.#connect(password),
      disconnect: (connection) => {
        connection?.close();
        // The broker sends again what is not acknowledged.
        this.#events.clear();
      },
    });
    void context.recall().then((entries) => this.#recalled(entries));
  }

  changed(source: EdgeSource): void {
    this.#source = source;
    if (this.#kept.changed(source)) this.#events.hurry();
  }

  reread(): void {
    this.#kept.reread();
  }

  close(): void {
    this.#kept.close();
    this.#events.close();
  }

  #recalled(entries: readonly MemoryEntry[]): void {
    if (this.#kept.isClosed) return;
    const kept = new Map(entries);
    this.#clientId = this.#declaration.clientId ?? kept.get(idEntry) ?? `nagaya-${randomBytes(9).toString('hex')}`;
    this.#subscribed = filtersIn(kept.get(filtersEntry));
    this.#context.remember([[idEntry, this.#clientId]]);
    this.#kept.begin();
  }

  #connect(password: string | undefined): BrokerConnection {
    const { url, auth, version, connectMs, heartbeat, qos } = this.#declaration;
    const connection: BrokerConnection = new BrokerConnection({
      url,
      version,
      clientId: this.#clientId,
      sessionSeconds: qos === 0 ? 0 : sessionSeconds,
      username: auth?.username ?? (auth === undefined ? undefined : ''),
      password,
      connectMs,
      ...heartbeat,
      mostBytes: this.#context.eventBytes,
      listener: {
        opened: (isResumed) => void this.#opened(connection, isResumed),
        message: (message, taken) => this.#message(message, taken),
        ended: (end) => this.#ended(end),
      },
    });
    return connection;
  }

  async #opened(connection: BrokerConnection, isResumed: boolean): Promise<void> {
    const { topics, qos } = this.#declaration;
    const gone = isResumed ? this.#subscribed.filter((filter) => !topics.includes(filter)) : [];
    try {
      // Before they are asked for: a session whose filters nobody knows could never be rid of them.
      this.#subscribed = [...new Set([...topics, ...gone])];
      this.#context.remember([[filtersEntry, JSON.stringify(this.#subscribed)]]);
      if (gone.length > 0) await connection.unsubscribe(gone);
      await connection.subscribe(topics, qos);
      if (connection !== this.#kept.current) return;
      this.#subscribed = topics;
      this.#context.remember([[filtersEntry, JSON.stringify(topics)]]);
      this.#kept.opened();
    } catch {
      if (connection !== this.#kept.current) return;
      connection.close();
      this.#ended({
        by: 'refused',
        isFinal: true,
        message: `The broker does not allow to listen to ${topics.join(', ')}.`,
      });
    }
  }

  #message(message: BrokerMessage, taken: () => void): void {
    const context = this.#context;
    context.count('received');
    const event = this.#eventOf(message);
    if (typeof event === 'string') {
      context.count('refused');
      context.fault({
        code: 'invalid_event',
        message: `A message of ${shortened(message.topic)} was refused: ${event}.`,
      });
      return taken();
    }
    // Acknowledged also where the service refuses it for good: the broker would send it for ever.
    this.#events.add(event, taken);
  }

  #eventOf({ topic, payload, retained }: BrokerMessage): SourceEvent | string {
    const { eventBytes, nesting } = this.#context;
    const { name, declaration } = this.#source;
    if (payload.length > eventBytes) return `it is larger than ${String(eventBytes)} bytes (limits.eventBytes)`;
    const { text, value } = read(payload);
    if (value !== undefined && nestsDeeper(text, nesting)) return tooDeep(nesting).replace('the body', 'it');
    const json = `{"topic":${JSON.stringify(topic)},"payload":${text},"retained":${String(retained)}}`;
    if (Buffer.byteLength(json) > eventBytes)
      return `its event is larger than ${String(eventBytes)} bytes (limits.eventBytes)`;
    const { idFrom, keyFrom, kind } = declaration as MqttSource;
    const take = (from: MqttSource['idFrom']): string | number | undefined =>
      from === undefined || value === undefined ? undefined : scalarAt(value, from.body);
    return { kind, source: name, payload: json, ...senderNames(take(idFrom), take(keyFrom)) };
  }

  #ended({ by, isFinal, message }: BrokerEnd): void {
    this.#events.clear();
    this.#kept.ended({ code: codes[by], message, isFinal });
  }
}

const codes: Readonly<Record<BrokerEnd['by'], string>> = {
  closed: 'connection_closed',
  refused: 'connection_refused',
  fault: 'connection_failed',
  silence: 'connection_silent',
  package: 'package_missing',
};

const mostShown = 200;
const shortened = (topic: string): string => (topic.length > mostShown ? `${topic.slice(0, mostShown)}…` : topic);

/** JSON as it came, other text as a string, what is no text as base64. `value` is there for JSON alone. */
function read(payload: Buffer): { readonly text: string; readonly value?: unknown } {
  const text = payload.toString('utf8');
  try {
    return { text, value: JSON.parse(text) as unknown };
  } catch {
    // It is no JSON, and is passed on as text.
  }
  return Buffer.from(text).equals(payload)
    ? { text: JSON.stringify(text) }
    : { text: `{"base64":"${payload.toString('base64')}"}` };
}

/** Written by this class. */
function filtersIn(text: string | undefined): readonly string[] {
  try {
    const filters: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(filters) ? filters.filter((one) => typeof one === 'string') : [];
  } catch {
    // A store that was damaged costs no more than a filter that the session keeps.
    return [];
  }
}
