// The streams in which events of clustered services wait: one for each service, from which an event goes when it has
// had its outcome. Each fencing number has a consumer of its own, so that the server itself ignores what an earlier
// instance would still acknowledge.
import type { ConsumerMessages, JsMsg, StreamConfig } from '@nats-io/jetstream';
import {
  type ArrivedEvent,
  type FromCluster,
  type PlacedService,
  type Publication,
  type PublishAnswer,
  tokenOf,
} from '../../protocol/cluster/messages.ts';
import type { Nats } from './nats-link.ts';
import { streamedEvent } from './streamed-event.ts';

const nanosPerMs = 1_000_000;
/** An event that is with an instance is not sent again before this: the instance's own retries take place there. */
const ackWaitMs = 3_600_000;
/** An event must fit into one message also as a dead letter, with what became of it. */
const letterRoomBytes = 64 * 1024;
/** Of acknowledgements that may have been lost with a connection. */
const rememberedAcks = 2048;
const apiCodes = { messages: 10077, bytes: 10122, streamNotFound: 10059, nameInUse: 10058, consumerNotFound: 10014 };

const storedUnder = (id: number, duplicate: boolean): number | PublishAnswer =>
  duplicate ? { id, ok: true, duplicate } : id;

const acknowledgement = Buffer.from('+ACK');
/** Of the subject of an acknowledgement that names neither domain nor account. */
const oldAckParts = 9;

const consumerOf = (fence: number): string => `f${String(fence)}`;
const fenceOf = (name: string): number => (/^f\d+$/.test(name) ? Number(name.slice(1)) : 0);

interface Consumption {
  readonly fence: number;
  /** By its place in the stream, the subject under which an event is acknowledged. Its message is not kept: that would
   * keep all that was read from the socket with it. */
  readonly open: Map<number, string>;
  /** Subjects of what was acknowledged last. */
  acked: string[];
  gathered: ArrivedEvent[];
  messages: ConsumerMessages | undefined;
}

export class EventStreams {
  readonly #cluster: string;
  readonly #tell: (message: FromCluster) => void;
  /** Another instance has taken over, as the server says. */
  readonly #overtaken: (plugin: string) => void;
  /** An event waits that only a later version understands. */
  readonly #later: (plugin: string, fence: number, protocol: number) => void;
  readonly #consumptions = new Map<string, Consumption>();
  #nats: Nats | undefined;

  constructor(options: {
    readonly cluster: string;
    tell(message: FromCluster): void;
    overtaken(plugin: string): void;
    later(plugin: string, fence: number, protocol: number): void;
  }) {
    this.#cluster = options.cluster;
    this.#tell = (message) => options.tell(message);
    this.#overtaken = (plugin) => options.overtaken(plugin);
    this.#later = (...event) => options.later(...event);
  }

  up(nats: Nats): void {
    this.#nats = nats;
    for (const { acked } of this.#consumptions.values()) for (const reply of acked) this.#acknowledge(reply);
  }

  down(): void {
    this.#nats = undefined;
  }

  async ensure(service: PlacedService): Promise<void> {
    const { manager } = this.#required();
    const { plugin, capacity, maxBytes, dedupeMs } = service;
    const name = this.#stream(plugin);
    const bounds: Partial<StreamConfig> = {
      max_msgs: capacity,
      max_bytes: maxBytes,
      duplicate_window: dedupeMs * nanosPerMs,
    };
    try {
      const { config } = await manager.streams.info(name);
      if (Object.entries(bounds).some(([key, value]) => config[key as keyof StreamConfig] !== value))
        await manager.streams.update(name, bounds);
    } catch (thrown) {
      if (codeOf(thrown) !== apiCodes.streamNotFound) throw thrown;
      await manager.streams
        .add({
          ...bounds,
          name,
          subjects: [this.#subject(plugin)],
          retention: 'workqueue',
          discard: 'new',
          storage: 'file',
        })
        .catch((other: unknown) => {
          // Another member was faster.
          if (codeOf(other) !== apiCodes.nameInUse) throw other;
        });
    }
  }

  /**
   * What an instance with a lesser number still says is ignored by the server from then on. Answers up to which place
   * events were given to one.
   */
  async fenceOff(service: PlacedService, fence: number): Promise<number> {
    await this.ensure(service);
    const { manager } = this.#required();
    const stream = this.#stream(service.plugin);
    let upTo = 0;
    for await (const { name, delivered } of manager.consumers.list(stream)) {
      if (fenceOf(name) > fence) throw new Error('a later instance is there');
      if (fenceOf(name) === fence) continue;
      if (fenceOf(name) > 0) upTo = Math.max(upTo, delivered.stream_seq);
      await manager.consumers.delete(stream, name).catch(notThere);
    }
    await manager.consumers.add(stream, {
      durable_name: consumerOf(fence),
      ack_policy: 'explicit',
      ack_wait: ackWaitMs * nanosPerMs,
      max_ack_pending: service.inFlight,
      max_deliver: -1,
    });
    return upTo;
  }

  async consume(plugin: string, fence: number, inFlight: number): Promise<void> {
    const { streams } = this.#required();
    const consumption: Consumption = { fence, open: new Map(), acked: [], gathered: [], messages: undefined };
    this.#consumptions.set(plugin, consumption);
    const consumer = await streams.consumers.get(this.#stream(plugin), consumerOf(fence));
    if (this.#consumptions.get(plugin) !== consumption) return;
    const messages = await consumer.consume({
      max_messages: Math.max(1, inFlight),
      callback: (message) => this.#arrived(plugin, consumption, message),
    });
    consumption.messages = messages;
    // It ended while it was being made.
    if (this.#consumptions.get(plugin) !== consumption) return messages.stop();
    void this.#follow(plugin, consumption, messages);
  }

  /** The outcome is the instance's: the caller has made sure that it holds the lease. */
  done(plugin: string, fence: number, sequences: readonly number[]): void {
    const consumption = this.#consumptions.get(plugin);
    if (consumption?.fence !== fence) return;
    for (const sequence of sequences) {
      const reply = consumption.open.get(sequence);
      if (reply === undefined) continue;
      consumption.open.delete(sequence);
      this.#acknowledge(reply);
      consumption.acked.push(reply);
    }
    if (consumption.acked.length > rememberedAcks) consumption.acked = consumption.acked.slice(-rememberedAcks / 2);
  }

  end(plugin: string): void {
    const consumption = this.#consumptions.get(plugin);
    this.#consumptions.delete(plugin);
    consumption?.messages?.stop();
  }

  publish(publication: Publication, answered: (answer: number | PublishAnswer) => void): void {
    const { id, plugin, messageId } = publication;
    const tell = (outcome: boolean | Error): void =>
      answered(outcome instanceof Error ? { id, ok: false, ...refusalOf(outcome, plugin) } : storedUnder(id, outcome));
    try {
      const { publishes, connection } = this.#required();
      const body = Buffer.from(publication.body);
      const most = (connection.info?.max_payload ?? Infinity) - letterRoomBytes;
      if (body.length > most) throw new Error('max_payload exceeded');
      publishes.publish({ subject: this.#subject(plugin), messageId, body }, tell);
    } catch (thrown) {
      tell(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  }

  #acknowledge(reply: string): void {
    try {
      this.#nats?.connection.publish(reply, acknowledgement);
    } catch {
      // The connection is being closed: the event comes again to whoever is next.
    }
  }

  #arrived(plugin: string, consumption: Consumption, message: JsMsg): void {
    if (this.#consumptions.get(plugin) !== consumption) return;
    // It has one, and its type does not say so.
    const { reply } = message as JsMsg & { readonly reply: string };
    const sequence = sequenceIn(reply);
    if (!Number.isSafeInteger(sequence)) return;
    // It is here already: only its acknowledgement is awaited.
    const isNew = !consumption.open.has(sequence);
    const event = isNew ? streamedEvent(message.string()) : undefined;
    if (isNew && event === undefined) {
      // Somebody else writes into the stream: what is none of ours is no event.
      message.term();
      return;
    }
    // It stays in the stream.
    if (event !== undefined && 'later' in event) return this.#later(plugin, consumption.fence, event.later);
    consumption.open.set(sequence, reply);
    if (event === undefined) return;
    if (consumption.gathered.length === 0) setImmediate(() => this.#pass(plugin, consumption));
    consumption.gathered.push({ sequence, ...event });
  }

  #pass(plugin: string, consumption: Consumption): void {
    const events = consumption.gathered;
    consumption.gathered = [];
    if (this.#consumptions.get(plugin) === consumption)
      this.#tell({ type: 'events', plugin, fence: consumption.fence, events });
  }

  async #follow(plugin: string, consumption: Consumption, messages: ConsumerMessages): Promise<void> {
    const error = await messages.closed().catch((thrown: unknown) => thrown);
    if (this.#consumptions.get(plugin) === consumption) {
      void error;
      this.#overtaken(plugin);
    }
  }

  #required(): Nats {
    if (this.#nats === undefined) throw new Error('the NATS server is away');
    return this.#nats;
  }

  readonly #stream = (plugin: string): string => `nagaya-${this.#cluster}-${tokenOf(plugin)}`;
  readonly #subject = (plugin: string): string => `nagaya.${this.#cluster}.in.${tokenOf(plugin)}`;
}

/** Of the message that is acknowledged under this subject, its place in the stream. */
function sequenceIn(reply: string): number {
  const parts = reply.split('.');
  // The longer form names a domain and an account as well.
  return Number(parts[parts.length === oldAckParts ? 5 : 7]);
}

const codeOf = (thrown: unknown): number | undefined =>
  typeof thrown === 'object' && thrown !== null && 'code' in thrown && typeof thrown.code === 'number'
    ? thrown.code
    : undefined;

function notThere(thrown: unknown): void {
  if (codeOf(thrown) !== apiCodes.consumerNotFound) throw thrown;
}

function refusalOf(thrown: unknown, plugin: string): Pick<Extract<PublishAnswer, { ok: false }>, 'code' | 'message'> {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  if (codeOf(thrown) === apiCodes.messages || /maximum messages exceeded/.test(text))
    return { code: 'queue_full', message: `The queue of ${plugin} in the cluster is full (queue.capacity).` };
  if (codeOf(thrown) === apiCodes.bytes || /maximum bytes exceeded/.test(text))
    return { code: 'queue_full', message: `The queue of ${plugin} in the cluster is full (queue.maxBytes).` };
  // Nobody hears the subject: the client's words for it mean the server as a whole.
  if (/jetstream is not enabled|no responders/i.test(text))
    return {
      code: 'service_unavailable',
      message: `The service of ${plugin.split('/')[0] ?? ''} has had no instance in the cluster yet: start it on a member.`,
    };
  if (/max_payload|message size|payload/i.test(text))
    return {
      code: 'payload_too_large',
      message: 'The event is larger than what the NATS server takes in one message (max_payload).',
    };
  return {
    code: 'cluster_unavailable',
    message: `The NATS server did not take the event: ${text.slice(0, 200)}. Whether it has it is not known; with an idempotencyKey it can be published again without harm.`,
  };
}
