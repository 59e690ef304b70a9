// The connection to the NATS server: made again for ever, with a typed fault while there is none. The client is loaded
// here and nowhere else.
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node';
import type { ClusterData, ClusterFault } from '../../protocol/cluster/messages.ts';
import { Credentials } from '../edge/credentials.ts';
import { heldForMs } from './lease-rules.ts';
import { faultOf } from './link-faults.ts';
import { authenticatorOf, tlsOf } from './security.ts';
import { StoredPublishes } from './stored-publishes.ts';
import { tlsRefusal } from './tls-probe.ts';

/** What works while the server is there. */
export interface Nats {
  readonly connection: NatsConnection;
  readonly streams: JetStreamClient;
  /** Into streams, answered when it is stored. */
  readonly publishes: StoredPublishes;
  readonly manager: JetStreamManager;
  /** What all members see. */
  readonly board: KV;
  /** What services keep in ctx.state. */
  readonly states: KV;
  /** What services keep of single events. */
  readonly records: KV;
}

export interface LinkListener {
  /** Also after each reconnection. */
  up(nats: Nats): void;
  down(fault: ClusterFault): void;
}

export const recordsOf = (cluster: string): string => `nagaya-${cluster}-records`;

const retryMs = [250, 2000] as const;
const pingMs = 2000;
const mostPingsOut = 2;

export class NatsLink {
  readonly #data: ClusterData;
  readonly #credentials: Credentials;
  readonly #listener: LinkListener;
  #connection: NatsConnection | undefined;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(data: ClusterData, env: Readonly<Record<string, string | undefined>>, listener: LinkListener) {
    this.#data = data;
    this.#credentials = new Credentials(env);
    this.#listener = listener;
  }

  /** Ends only when it is closed. */
  async run(): Promise<void> {
    for (let failures = 0; !this.#closed; failures += 1) {
      try {
        const nats = await this.#connect();
        failures = 0;
        const up = (): void => this.#listener.up(nats);
        up();
        await this.#follow(nats, up);
      } catch (thrown) {
        this.#listener.down(faultOf(thrown, this.#data));
      }
      await this.#connection?.close().catch(() => undefined);
      this.#connection = undefined;
      if (!this.#closed) await this.#pause(Math.min(retryMs[1], retryMs[0] * 2 ** Math.min(failures, 10)));
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    // What is still to be sent is sent; a server that is away must not hold up the end.
    await this.#connection?.drain().catch(() => undefined);
  }

  async #connect(): Promise<Nats> {
    const [client, { jetstream, jetstreamManager }, { Kvm }] = await load();
    const connection = await this.#open(client);
    this.#connection = connection;
    const { requestMs, name } = this.#data;
    const manager = await jetstreamManager(connection, { timeout: requestMs });
    const streams = jetstream(connection, { timeout: requestMs });
    const buckets = new Kvm(streams);
    const options = { history: 1, timeout: requestMs };
    const board = await buckets.create(`nagaya-${name}`, options);
    const states = await buckets.create(`nagaya-${name}-state`, options);
    const records = await buckets.create(recordsOf(name), options);
    const publishes = new StoredPublishes({ connection, timeoutMs: requestMs }, client.createInbox());
    void connection.closed().then(() => publishes.close());
    return { connection, manager, streams, publishes, board, states, records };
  }

  async #open(client: Client[0]): Promise<NatsConnection> {
    const settings = this.#settings(client);
    try {
      return await client.connect(settings);
    } catch (thrown) {
      const [server] = this.#data.servers;
      const isLate = thrown instanceof Error && thrown.name === 'TimeoutError';
      if (!isLate || !settings.tls || server === undefined) throw thrown;
      throw (await tlsRefusal(server, settings.tls, this.#data.requestMs)) ?? thrown;
    }
  }

  #settings(client: Client[0]): ConnectionOptions {
    const { servers, credentials, name, member, requestMs } = this.#data;
    const authenticator = authenticatorOf(credentials, this.#credentials, client);
    const tls = tlsOf(this.#data);
    return {
      servers: [...servers],
      name: `nagaya ${name} ${member}`,
      timeout: requestMs,
      maxReconnectAttempts: -1,
      reconnectTimeWait: retryMs[0],
      pingInterval: pingMs,
      maxPingOut: mostPingsOut,
      ...(tls === undefined ? {} : { tls }),
      ...(authenticator === undefined ? {} : { authenticator }),
    };
  }

  /**
   * Until the connection is closed for good. The client connects again by itself, with what it knows, and does not say
   * why that fails; when this member has lost its leases anyway, a new connection is made, which tells the reason.
   */
  async #follow({ connection }: Nats, up: () => void): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      for await (const status of connection.status()) {
        if (status.type === 'disconnect') {
          this.#listener.down(faultOf(new Error('the connection is lost'), this.#data));
          timer ??= setTimeout(() => void connection.close().catch(() => undefined), heldForMs(this.#data.leaseMs));
        } else if (status.type === 'reconnect') {
          clearTimeout(timer);
          timer = undefined;
          up();
        }
      }
    } finally {
      clearTimeout(timer);
    }
    const error = await connection.closed();
    if (!this.#closed) throw error instanceof Error ? error : new Error('the connection is lost');
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

type Client = readonly [
  typeof import('@nats-io/transport-node'),
  typeof import('@nats-io/jetstream'),
  typeof import('@nats-io/kv'),
];

async function load(): Promise<Client> {
  try {
    return await Promise.all([import('@nats-io/transport-node'), import('@nats-io/jetstream'), import('@nats-io/kv')]);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw thrown;
    throw new Error(
      'its client is not installed: npm install @nats-io/transport-node@3.3.1 @nats-io/jetstream@3.3.1 @nats-io/kv@3.3.1',
    );
  }
}
