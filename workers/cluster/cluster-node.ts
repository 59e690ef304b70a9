// The cluster's thread as a whole: the connection, this daemon among the members, its leases, the streams of clustered
// services, and calls between members. It knows nothing of plugins but their ids.
import {
  type ClusterData,
  type ClusterFault,
  type FromCluster,
  type PublishAnswer,
  type PlacedService,
  type ToCluster,
  sharedPluginOf,
} from '../../protocol/cluster/messages.ts';
import { Gathered } from '../../protocol/gathered.ts';
import { Board } from './board.ts';
import { EventStreams } from './event-streams.ts';
import { Leases } from './leases.ts';
import { type Self, tickMs } from './lease-rules.ts';
import { MemberCalls } from './member-calls.ts';
import { Membership } from './membership.ts';
import { type Nats, NatsLink, recordsOf } from './nats-link.ts';
import { ServiceRecords } from './service-records.ts';
import { StateRecords } from './state-records.ts';

const defaultPayloadBytes = 1024 * 1024;

/** Does not stand while the daemon is stopped. */
const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

export class ClusterNode {
  readonly closed: Promise<void>;
  #finish: () => void = () => undefined;
  readonly #post: (message: FromCluster) => void;
  readonly #link: NatsLink;
  readonly #board: Board;
  readonly #membership: Membership;
  readonly #leases: Leases;
  readonly #streams: EventStreams;
  readonly #calls: MemberCalls;
  readonly #states: StateRecords;
  readonly #records: ServiceRecords;
  readonly #recordsStream: string;
  readonly #inFlight = new Map<string, number>();
  readonly #tickMs: number;
  readonly #timer: NodeJS.Timeout;
  #tickedMs = monotonicMs();
  #nats: Nats | undefined;
  /** Partitions of shared services that this member takes. */
  #shared: readonly PlacedService[] = [];
  readonly #ensured = new Set<string>();
  #fault: ClusterFault | null = { code: 'cluster_unavailable', message: 'The NATS server has not answered yet.' };
  #told = '';
  readonly #published = new Gathered<number | PublishAnswer>((answers) => this.#post({ type: 'published', answers }));
  readonly #releasing = new Set<Promise<void>>();
  #closing = false;

  constructor(
    data: ClusterData,
    env: Readonly<Record<string, string | undefined>>,
    post: (message: FromCluster) => void,
  ) {
    const self: Self = { member: data.member, instance: data.instance, session: data.session };
    this.#post = post;
    this.closed = new Promise((resolve) => (this.#finish = resolve));
    this.#board = new Board(monotonicMs, () => undefined);
    this.#membership = new Membership(data, self, this.#board, monotonicMs);
    this.#streams = new EventStreams({
      cluster: data.name,
      tell: post,
      overtaken: (plugin) => this.#leases.lose(plugin, 'another instance has taken its events over'),
      later: (plugin, fence, protocol) =>
        void this.#leases.leaveToLater(this.#nats?.board, { plugin, fence, protocol }),
    });
    this.#leases = new Leases({
      data,
      self,
      board: this.#board,
      nowMs: monotonicMs,
      wallMs: () => Date.now(),
      fenceOff: async (service, fence, lost) => {
        const upTo = await this.#streams.fenceOff(service, fence);
        const state = await this.#states.open(service.plugin, fence);
        const records = await this.#records.open(service.plugin, fence);
        return { ...state, records, ...(lost === undefined ? {} : { lost: { ...lost, upTo } }) };
      },
      ended: (plugin) => {
        this.#streams.end(plugin);
        this.#states.close(plugin);
        this.#records.close(plugin);
      },
      tell: post,
    });
    this.#states = new StateRecords(data.requestMs, (plugin, fence) => this.#leases.holds(plugin, fence));
    this.#records = new ServiceRecords((plugin, fence) => this.#leases.holds(plugin, fence));
    this.#recordsStream = `KV_${recordsOf(data.name)}`;
    this.#calls = new MemberCalls(data, self.session, post);
    this.#link = new NatsLink(data, env, { up: (nats) => this.#up(nats), down: (fault) => this.#down(fault) });
    this.#tickMs = tickMs(data.leaseMs);
    this.#timer = setInterval(() => this.#tick(), this.#tickMs);
    void this.#link.run().then(this.#finish);
  }

  receive(message: ToCluster): void {
    switch (message.type) {
      case 'announce':
        this.#membership.announce(message.announcement);
        this.#tick();
        break;
      case 'placed':
        for (const { plugin, inFlight } of message.services) this.#inFlight.set(plugin, inFlight);
        this.#leases.place(message.services);
        this.#shared = message.services.filter(({ plugin, wanted }) => wanted && sharedPluginOf(plugin) !== undefined);
        this.#ensureShared();
        break;
      case 'consume':
        if (this.#leases.holds(message.plugin, message.fence)) this.#consume(message.plugin, message.fence);
        break;
      case 'release':
        this.#release(message);
        break;
      case 'publish':
        for (const event of message.events) this.#streams.publish(event, (answer) => this.#published.add(answer));
        break;
      case 'done':
        // What was decided under a lease that is over counts for nothing: the event comes again where it is now.
        if (this.#leases.holds(message.plugin, message.fence))
          this.#streams.done(message.plugin, message.fence, message.sequences);
        break;
      case 'commit':
        void this.#states.commit(message).then((answer) => this.#post(answer));
        break;
      case 'record':
        void this.#records.commit(message).then((answer) => this.#post(answer));
        break;
      case 'ask':
        this.#calls.ask(message);
        break;
      case 'cancel':
        this.#calls.cancel(message.id);
        break;
      case 'reply':
        this.#calls.reply(message.id, message.answer);
        break;
      case 'look':
        this.#post({ type: 'looked', id: message.id });
        break;
      case 'close':
        void this.#close();
        break;
    }
  }

  /** What is published goes to any partition, also to one that nobody has taken yet. */
  #ensureShared(): void {
    if (this.#nats === undefined) return;
    for (const service of this.#shared) {
      if (this.#ensured.has(service.plugin)) continue;
      this.#ensured.add(service.plugin);
      // Whoever takes it does the same, and is told.
      this.#streams.ensure(service).catch(() => this.#ensured.delete(service.plugin));
    }
  }

  #release({ plugin, fence, cutOff }: Extract<ToCluster, { type: 'release' }>): void {
    const lost = cutOff === undefined ? undefined : { died: false };
    const releasing = this.#leases.release(this.#nats?.board, plugin, fence, lost);
    this.#releasing.add(releasing);
    void releasing.finally(() => this.#releasing.delete(releasing));
  }

  #consume(plugin: string, fence: number): void {
    this.#streams.consume(plugin, fence, this.#inFlight.get(plugin) ?? 1).catch(() => {
      this.#leases.lose(plugin, 'its events cannot be read');
    });
  }

  #up(nats: Nats): void {
    this.#nats = nats;
    this.#membership.begin();
    this.#streams.up(nats);
    this.#states.up(nats.states);
    this.#records.up({
      kv: nats.records,
      manager: nats.manager,
      stream: this.#recordsStream,
      mostBytes: nats.connection.info?.max_payload ?? defaultPayloadBytes,
    });
    this.#calls.up(nats);
    this.#ensured.clear();
    this.#ensureShared();
    this.#board.follow(nats.board).catch((thrown: unknown) => {
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      this.#down({ code: 'cluster_unavailable', message: `The members cannot be followed: ${reason}` });
    });
    this.#fault = null;
    this.#tick();
  }

  #down(fault: ClusterFault): void {
    this.#nats = undefined;
    this.#fault = fault;
    this.#streams.down();
    this.#states.down();
    this.#records.down();
    this.#board.leave();
    this.#tick();
  }

  #tick(): void {
    const nowMs = monotonicMs();
    // It stood still: that others were not seen meanwhile says nothing of them.
    if (nowMs - this.#tickedMs > 4 * this.#tickMs) this.#board.begin();
    this.#tickedMs = nowMs;
    const board = this.#nats?.board;
    if (board !== undefined && !this.#closing) void this.#membership.tick(board);
    const taking = !this.#closing && this.#membership.joined && !this.#membership.draining;
    this.#leases.tick(board, taking);
    this.#tell();
  }

  /** Only what is another than before. */
  #tell(): void {
    const fault = this.#fault ?? this.#membership.fault;
    const connected = this.#nats !== undefined && this.#membership.joined && this.#board.complete;
    const members = this.#membership.views();
    const holders = this.#leases.holders();
    const text = JSON.stringify([connected, fault, members, holders]);
    if (text === this.#told) return;
    this.#told = text;
    this.#post({ type: 'connection', connected, fault });
    this.#post({ type: 'members', members, holders });
  }

  async #close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#timer);
    this.#calls.close();
    this.#board.leave();
    await Promise.all(this.#releasing);
    if (this.#nats !== undefined) await this.#membership.leave(this.#nats.board);
    await this.#link.close();
  }
}
