// The connection to the NATS server: made again for ever, with a typed fault while there is none. The client is loaded
// here and nowhere else.
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node';
import type { ClusterData, ClusterFault } from '../../protocol/cluster/messages.ts';
import { Credentials } from '../edge/credentials.ts';

/** What works while the server is there. */
export interface Nats {
  readonly connection: NatsConnection;
  readonly streams: JetStreamClient;
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

const retryMs = [250, 5000] as const;
const pingMs = 2000;
const mostPingsOut = 2;

/** Words for the operator; the client's own message is added where it is no riddle. */
function faultOf(error: unknown, { servers }: ClusterData): ClusterFault {
  const message = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return {
    code: 'cluster_unavailable',
    message: `The NATS server (${servers.join(', ')}) cannot be used: ${message.slice(0, 300)}${cause.slice(0, 200)}`,
  };
}

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
        this.#listener.up(nats);
        await this.#follow(nats);
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
    const [{ connect }, { jetstream, jetstreamManager }, { Kvm }] = await load();
    const connection = await connect(await this.#options());
    this.#connection = connection;
    const { requestMs, name } = this.#data;
    const manager = await jetstreamManager(connection, { timeout: requestMs });
    const streams = jetstream(connection, { timeout: requestMs });
    const buckets = new Kvm(streams);
    const options = { history: 1, timeout: requestMs };
    const board = await buckets.create(`nagaya-${name}`, options);
    const states = await buckets.create(`nagaya-${name}-state`, options);
    const records = await buckets.create(recordsOf(name), options);
    return { connection, manager, streams, board, states, records };
  }

  async #options(): Promise<ConnectionOptions> {
    const { servers, tls, credentials, name, member, requestMs } = this.#data;
    return {
      servers: [...servers],
      name: `nagaya ${name} ${member}`,
      timeout: requestMs,
      maxReconnectAttempts: -1,
      reconnectTimeWait: retryMs[0],
      ignoreAuthErrorAbort: true,
      pingInterval: pingMs,
      maxPingOut: mostPingsOut,
      ...(tls === undefined ? {} : { tls }),
      ...(credentials === undefined ? {} : await this.#authentication(credentials)),
    };
  }

  async #authentication(credentials: NonNullable<ClusterData['credentials']>): Promise<Partial<ConnectionOptions>> {
    if (typeof credentials === 'string') {
      const [{ credsAuthenticator }] = await load();
      const text = this.#found({ file: credentials });
      return { authenticator: credsAuthenticator(new TextEncoder().encode(text)) };
    }
    return 'tokenEnv' in credentials
      ? { token: this.#found(credentials.tokenEnv) }
      : { user: credentials.user, pass: this.#found(credentials.passwordEnv) };
  }

  #found(name: string | { readonly file: string }): string {
    const found = this.#credentials.find(name);
    if (!found.ok) throw new Error(`cluster.nats.credentials: ${found.message}`);
    return found.value;
  }

  /** Until the connection is closed for good. */
  async #follow(nats: Nats): Promise<void> {
    for await (const status of nats.connection.status()) {
      if (status.type === 'disconnect') this.#listener.down(faultOf(new Error('the connection is lost'), this.#data));
      else if (status.type === 'reconnect') this.#listener.up(nats);
    }
    const error = await nats.connection.closed();
    if (!this.#closed) throw error instanceof Error ? error : new Error('the connection was closed');
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
