// The daemon as a member of a cluster, seen from the host: what the thread reports, what this member says of itself,
// and what is asked of others.
import { randomUUID } from 'node:crypto';
import {
  type ClusterData,
  type ClusterFault,
  type FromCluster,
  type HeldPartition,
  type LeaseHolder,
  type MemberRuntime,
  type MemberService,
  type MemberView,
  type ToCluster,
  partitionUnit,
} from '../../protocol/cluster/messages.ts';
import { HostError } from '../../protocol/errors.ts';
import type { ServiceSection } from '../../protocol/manifest.ts';
import type { ClusterStatus } from '../../protocol/operations/cluster.ts';
import type { ClusterConfig } from '../config/cluster.ts';
import type { Limits } from '../config/schema.ts';
import { ThreadSupervisor } from '../isolates/thread-supervisor.ts';
import type { Feed, FeedSubscription } from '../telemetry/feed.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import type { Clock } from '../time/clock.ts';
import type { ClusterService } from './cluster-service.ts';
import { type SpawnCluster, spawnCluster } from './cluster-thread.ts';
import { instanceId } from './instance-id.ts';
import { type AskRequest, MemberAsks, type Perform } from './member-asks.ts';
import { type PlacedHost, placeService, takesPartitions } from './placing.ts';
import { Publications } from './publications.ts';
import { numberOf } from './shared-service.ts';

export interface ClusterOptions {
  readonly config: ClusterConfig;
  readonly member: string;
  readonly version: string;
  readonly stateFolder: string;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly feed: Pick<Feed, 'subscribe'>;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly spawn?: SpawnCluster;
  readonly placed: PlacedHost;
  /** What this member runs, for the others to see. */
  services(): readonly MemberService[];
  /** Loaded plugins that have tools. */
  tools(): readonly string[];
  runtimes(): readonly MemberRuntime[];
  /** Others came, went, or have other runtimes. */
  membersChanged(others: readonly MemberView[]): void;
}

/** Without a time, the configuration's. */
export type MemberRequest = Omit<AskRequest, 'timeoutMs'> & Partial<Pick<AskRequest, 'timeoutMs'>>;

const notAnswered: ClusterFault = { code: 'cluster_unavailable', message: 'The NATS server has not answered yet.' };
/** The services of the member are stopped in order. */
const drainMs = 60_000;
/** Before the thread is ended, whatever it still has to say to the server. */
const closeMs = 1500;

export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  return new Cluster(options, await instanceId(options.stateFolder));
}

export class Cluster {
  readonly #options: ClusterOptions;
  readonly #supervisor: ThreadSupervisor<ToCluster, FromCluster>;
  readonly #asks: MemberAsks;
  #perform: Perform = () => Promise.reject(new HostError('shutting_down', 'The daemon is only starting.'));
  #connected = false;
  #fault: ClusterFault | null = notAnswered;
  #members: readonly MemberView[] = [];
  #holders = new Map<string, LeaseHolder>();
  readonly #services = new Map<string, ClusterService>();
  readonly #publications: Publications;
  #draining = false;
  #announced = '';
  #subscription: FeedSubscription | undefined;
  #closed: (() => void) | undefined;

  constructor(options: ClusterOptions, instance: string) {
    this.#options = options;
    const { limits, clock, spawn = spawnCluster } = options;
    const data = dataOf(options, instance);
    this.#supervisor = new ThreadSupervisor({
      spawn: (listener) => spawn(data, listener),
      look: (id) => ({ type: 'look', id }),
      answers: (message) => (message.type === 'looked' ? message.id : undefined),
      last: { type: 'close' },
      stalledMs: limits.clusterStalledMs,
      clock,
      began: () => this.#began(),
      message: (message) => this.#receive(message),
      lost: (why) => this.#lost(why),
    });
    this.#publications = new Publications(limits.clusterPending, (message) => this.#supervisor.post(message));
    this.#asks = new MemberAsks({
      clock,
      pending: limits.clusterPending,
      perform: (...asked) => this.#perform(...asked),
      post: (message) => this.#supervisor.post(message),
    });
  }

  get member(): string {
    return this.#options.member;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** `perform` carries out what other members ask. */
  start(perform: Perform): void {
    this.#perform = perform;
    this.#supervisor.start();
    this.#subscription = this.#options.feed.subscribe({
      filter: { topics: ['lifecycle', 'plugin'] },
      buffer: 1,
      push: () => {
        setImmediate(() => this.#announce());
        return true;
      },
    });
  }

  status(): ClusterStatus {
    const { config, member } = this.#options;
    return {
      name: config.name,
      member,
      connected: this.#connected,
      members: this.#members.map(({ member: name, version, state, services }) => ({
        member: name,
        version,
        state,
        services: services.map(({ partitions, ...service }) => ({
          ...service,
          ...(partitions === undefined ? {} : { partitions: [...partitions] }),
        })),
      })),
      fault: this.#unavailable(),
    };
  }

  async drain(member: string | undefined, undo: boolean): Promise<{ member: string; state: 'active' | 'draining' }> {
    const { member: own } = this.#options;
    if (member === undefined || member === own) {
      this.#draining = !undo;
      this.#announce();
      if (!undo) await Promise.all([...this.#services.values()].map((service) => service.release()));
      this.#options.log.info({ member: own }, undo ? 'the member takes services again' : 'the member is drained');
      return { member: own, state: undo ? 'active' : 'draining' };
    }
    const params = JSON.stringify({ undo });
    return (await this.askValue({ member, operation: 'cluster.drain', params, timeoutMs: drainMs })) as {
      member: string;
      state: 'active' | 'draining';
    };
  }

  /** Undefined for a service that is each member's own. It is the same for as long as its plugin is loaded. */
  place(plugin: string, section: ServiceSection): ClusterService | undefined {
    const { placed, limits, log } = this.#options;
    const service = placeService(plugin, section, {
      member: this.member,
      limits,
      host: placed,
      members: () => this.#members,
      holders: () => this.#holders,
      post: (message) => this.#supervisor.post(message),
      publish: (event, told) => this.#publications.publish(event, told),
      changed: () => {
        this.#tellPlaced();
        setImmediate(() => this.#announce());
      },
      fault: () => this.#unavailable(),
      draining: () => this.#draining,
      tell: (level, message, fields) => log[level](fields, message),
    });
    if (service === undefined) return undefined;
    this.#services.set(plugin, service);
    this.#tellPlaced();
    return service;
  }

  placed(plugin: string): ClusterService | undefined {
    return this.#services.get(plugin);
  }

  #ofUnit(unit: string): ClusterService | undefined {
    const [plugin = ''] = unit.split('/');
    const service = this.#services.get(plugin);
    return service?.has(unit) === true ? service : undefined;
  }

  /** A member that lives and has the service: the one with the live instance, where there is one. */
  memberWithService(plugin: string, key?: string): string | undefined {
    const unit = key === undefined ? plugin : partitionUnit(plugin, numberOf(key));
    const holder = (this.#holders.get(plugin) ?? this.#holders.get(unit))?.member;
    if (holder != null && holder !== this.member) return holder;
    const having = (works: boolean): string[] =>
      this.#others(({ services }) =>
        services.some((service) => service.plugin === plugin && (!works || service.fence !== null)),
      );
    return having(true)[0] ?? having(false)[0];
  }

  /** Members live that take partitions of the service. */
  isShared(plugin: string): boolean {
    return this.#unavailable() === null && this.#members.some((member) => takesPartitions(member, plugin));
  }

  /** By member that lives and has some, this one included. */
  heldPartitions(plugin: string): ReadonlyMap<string, readonly HeldPartition[]> {
    const others = this.#members
      .filter(({ member, state }) => member !== this.member && state !== 'lost')
      .map(
        ({ member, services }) => [member, services.find((one) => one.plugin === plugin)?.partitions ?? []] as const,
      );
    const own = [this.member, this.placed(plugin)?.partitions ?? []] as const;
    return new Map([own, ...others].filter(([, partitions]) => partitions.length > 0));
  }

  isLost(member: string): boolean {
    return this.#members.some((one) => one.member === member && one.state === 'lost');
  }

  /** The member with the plugin that has the fewest calls of this one. */
  memberWithTools(plugin: string): string | undefined {
    const members = this.#others(({ tools }) => tools.includes(plugin));
    return members.sort((one, other) => this.#asks.waitingFor(one) - this.#asks.waitingFor(other))[0];
  }

  #others(having: (member: MemberView) => boolean): string[] {
    return this.#members
      .filter((one) => one.member !== this.member && one.state !== 'lost' && having(one))
      .map(({ member }) => member);
  }

  /** Its plugin is unloaded, or the daemon ends: another member may have it. */
  async forget(plugin: string): Promise<void> {
    const service = this.#services.get(plugin);
    await service?.standAside();
    service?.close();
    this.#services.delete(plugin);
    this.#tellPlaced();
  }

  /** Asks another member to carry out an operation; resolves to its result as JSON. */
  async ask(request: MemberRequest): Promise<string> {
    return await this.#asks.ask(this.#checked(request));
  }

  /** The same, with the result as a value. */
  async askValue(request: MemberRequest): Promise<unknown> {
    return await this.#asks.value(this.#checked(request));
  }

  #checked(request: MemberRequest): AskRequest {
    const { member } = request;
    const fault = this.#unavailable();
    if (fault !== null) throw new HostError(fault.code, fault.message, { member });
    const found = this.#members.find((one) => one.member === member);
    if (found === undefined)
      throw new HostError('member_not_found', `The cluster has no member ${JSON.stringify(member)}.`, { member });
    if (found.state === 'lost')
      throw new HostError('member_unavailable', `Nothing has been heard of the member ${member} for a while.`, {
        member,
      });
    return { timeoutMs: this.#options.limits.clusterMs, ...request };
  }

  /** Leaves the cluster, so that others need not wait until this member is missed. */
  async close(): Promise<void> {
    this.#subscription?.close();
    for (const service of this.#services.values()) service.giveBack();
    if (this.#supervisor.running) {
      const closed = new Promise<void>((resolve) => (this.#closed = resolve));
      this.#supervisor.drain();
      const timer = this.#options.clock.after(closeMs, () => this.#closed?.());
      await closed;
      timer.cancel();
    }
    this.#supervisor.close();
  }

  #began(): void {
    this.#announced = '';
    this.#announce();
    this.#tellPlaced();
  }

  #tellPlaced(): void {
    this.#supervisor.post({ type: 'placed', services: [...this.#services.values()].flatMap(({ terms }) => terms) });
  }

  #unavailable(): ClusterFault | null {
    return this.#connected ? null : (this.#fault ?? notAnswered);
  }

  #announce(): void {
    const { services, tools, runtimes } = this.#options;
    const announcement = {
      state: this.#draining ? 'draining' : 'active',
      services: services(),
      tools: tools(),
      runtimes: runtimes(),
    } as const;
    const text = JSON.stringify(announcement);
    if (text === this.#announced) return;
    this.#announced = text;
    this.#supervisor.post({ type: 'announce', announcement });
  }

  #receive(message: FromCluster): void {
    switch (message.type) {
      case 'connection':
        this.#tellConnection(message.connected, message.fault);
        break;
      case 'members':
        this.#members = message.members;
        this.#asks.keepOnly(
          new Set(message.members.filter(({ state }) => state !== 'lost').map(({ member }) => member)),
        );
        this.#options.membersChanged(message.members.filter(({ self }) => !self));
        this.#holders = new Map(message.holders.map((holder) => [holder.plugin, holder]));
        for (const service of this.#services.values()) service.membersChanged();
        break;
      case 'granted':
        this.#ofUnit(message.plugin)?.granted(message.plugin, message, message.state);
        this.#announce();
        break;
      case 'lost':
        this.#ofUnit(message.plugin)?.lost(message.plugin, message.fence, message.why);
        this.#announce();
        break;
      case 'events':
        this.#ofUnit(message.plugin)?.arrived(message.plugin, message.fence, message.events);
        break;
      case 'committed':
        for (const service of this.#services.values()) service.committed(message);
        break;
      case 'recorded':
        for (const service of this.#services.values()) service.recorded(message);
        break;
      case 'published':
        this.#publications.answered(message.answers);
        break;
      case 'answered':
        this.#asks.answered(message);
        break;
      case 'asked':
        this.#asks.asked(message);
        break;
      case 'askCancelled':
        this.#asks.askCancelled(message.id);
        break;
      default:
        break;
    }
  }

  #tellConnection(connected: boolean, fault: ClusterFault | null): void {
    const { log, config, member } = this.#options;
    const told = fault?.message !== this.#fault?.message;
    this.#fault = fault;
    if (connected !== this.#connected) {
      this.#connected = connected;
      if (connected) log.info({ cluster: config.name, member }, 'the daemon is a member of its cluster');
    }
    if (!connected && fault !== null && told) log.warn({ code: fault.code }, fault.message);
  }

  #lost(why: string): void {
    if (this.#closed !== undefined) return this.#closed();
    this.#tellConnection(false, { code: 'cluster_unavailable', message: `The thread of the cluster is gone: ${why}.` });
    this.#asks.lost(why);
    this.#publications.lost(why);
    for (const service of this.#services.values()) service.threadLost();
  }
}

function dataOf({ config: { name, nats }, member, version, limits }: ClusterOptions, instance: string): ClusterData {
  const { servers, credentials, tls } = nats;
  return {
    name,
    member,
    instance,
    session: randomUUID(),
    version,
    servers: typeof servers === 'string' ? [servers] : servers,
    ...(credentials === undefined ? {} : { credentials }),
    ...(tls === undefined
      ? {}
      : { tls: Object.fromEntries(Object.entries(tls).filter(([, path]) => path !== undefined)) }),
    leaseMs: limits.leaseMs,
    requestMs: limits.clusterMs,
    nesting: limits.nesting,
    messageBytes: limits.lineBytes,
    pending: limits.clusterPending,
  };
}
