// One connection to an MQTT broker, from the first byte to its end. The library speaks the protocol; that the broker
// lives, how large its packets may be and when nothing more is read are decided here.
import { type Socket, connect as connectPlain, isIP } from 'node:net';
import type { IClientOptions, IPublishPacket, MqttClient, OnConnectCallback } from 'mqtt';
import { PacketGuard } from './mqtt-packet-guard.ts';

export interface BrokerEnd {
  readonly by: 'refused' | 'closed' | 'fault' | 'silence' | 'package';
  /** Another try would only meet it again. */
  readonly isFinal: boolean;
  readonly message: string;
}

export interface BrokerMessage {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retained: boolean;
}

export interface BrokerListener {
  /** `isResumed`: the broker has kept the session, with its subscriptions. */
  opened(isResumed: boolean): void;
  /** The next one comes, and this one is acknowledged, once it is `taken`. */
  message(message: BrokerMessage, taken: () => void): void;
  /** Once, and nothing comes after it; not after `close`. */
  ended(end: BrokerEnd): void;
}

export interface BrokerOptions {
  readonly url: string;
  readonly version: '5' | '3.1.1';
  readonly clientId: string;
  /** The broker keeps the session for so long after the connection has ended; 0: not at all. */
  readonly sessionSeconds: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly connectMs: number;
  readonly everyMs: number;
  readonly expectMs: number;
  /** Of one message. */
  readonly mostBytes: number;
  readonly listener: BrokerListener;
}

export interface Publication {
  readonly topic: string;
  readonly payload: string;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly idempotencyKey: string;
}

/** Topic and properties of a message. */
const headBytes = 128 * 1024;
/** A larger message ends the connection; one in between is refused, and the broker is rid of it. */
const leastGuardBytes = 1024 * 1024;
const closePacketMs = 1000;
const plainPort = 1883;
const encryptedPort = 8883;

/** The library is not to decide when the broker is dead: while nothing is read, no answer can be. */
const noTimer = { set: () => 0, clear: () => undefined };

export class BrokerConnection {
  readonly #options: BrokerOptions;
  #client: MqttClient | undefined;
  #socket: Socket | undefined;
  #cause: string | undefined;
  #refusal: number | undefined;
  #heardMs = 0;
  /** Messages that are not taken yet: nothing is read meanwhile. */
  #untaken = 0;
  #beat: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;
  #opening: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: BrokerOptions) {
    this.#options = options;
    void this.#open();
  }

  /** Rejects where the broker does not allow one of them. */
  async subscribe(filters: readonly string[], qos: 0 | 1): Promise<void> {
    await this.#required.subscribeAsync([...filters], { qos });
  }

  async unsubscribe(filters: readonly string[]): Promise<void> {
    await this.#required.unsubscribeAsync([...filters]);
  }

  /** Resolves when the broker has acknowledged it, or it is sent where it acknowledges nothing. */
  async publish({ topic, payload, qos, retain, idempotencyKey }: Publication): Promise<void> {
    const properties = { userProperties: { 'idempotency-key': idempotencyKey } };
    await this.#required.publishAsync(topic, payload, {
      qos,
      retain,
      ...(this.#options.version === '5' ? { properties } : {}),
    });
  }

  close(): void {
    if (this.#isOver) return;
    this.#over();
    const socket = this.#socket;
    if (this.#client?.connected !== true) return void socket?.destroy();
    this.#client.end();
    const hard = setTimeout(() => socket?.destroy(), closePacketMs);
    socket?.once('close', () => clearTimeout(hard));
  }

  get #required(): MqttClient {
    if (this.#client === undefined) throw new Error('there is no connection');
    return this.#client;
  }

  async #open(): Promise<void> {
    const { connectMs } = this.#options;
    this.#opening = setTimeout(() => {
      this.#end({
        by: 'fault',
        isFinal: false,
        message: `The connection was not open within ${String(connectMs)} ms (connectMs).`,
      });
    }, connectMs);
    try {
      const [{ MqttClient }, { connect }] = await Promise.all([import('mqtt'), import('node:tls')]);
      if (this.#isOver) return;
      const client = new MqttClient(() => this.#connect(connect), this.#clientOptions());
      this.#client = client;
      this.#listen(client);
    } catch (thrown) {
      this.#end(
        codeOf(thrown) === 'ERR_MODULE_NOT_FOUND'
          ? {
              by: 'package',
              isFinal: true,
              message: 'MQTT needs the package mqtt, which is not installed: run `npm install mqtt` beside nagaya.',
            }
          : { by: 'fault', isFinal: false, message: `The connection cannot be made (${codeOf(thrown)}).` },
      );
    }
  }

  #clientOptions(): IClientOptions {
    const { version, clientId, sessionSeconds, username, password, connectMs, everyMs, mostBytes } = this.#options;
    const properties = { sessionExpiryInterval: sessionSeconds, maximumPacketSize: mostBytes + headBytes };
    return {
      protocolVersion: version === '5' ? 5 : 4,
      clientId,
      clean: sessionSeconds === 0,
      keepalive: Math.min(65_535, Math.max(1, Math.ceil((2 * everyMs) / 1000))),
      timerVariant: noTimer,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      connectTimeout: connectMs + closePacketMs,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(version === '5' ? { properties } : {}),
    };
  }

  #connect(encrypted: typeof import('node:tls').connect): Socket {
    const { protocol, hostname, port } = new URL(this.#options.url);
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    const isEncrypted = protocol === 'mqtts:';
    const at = { host, port: port === '' ? (isEncrypted ? encryptedPort : plainPort) : Number(port) };
    const socket = isEncrypted
      ? encrypted({ ...at, ...(isIP(host) === 0 ? { servername: host } : {}) })
      : connectPlain(at);
    this.#socket = socket;
    const guard = new PacketGuard(Math.max(leastGuardBytes, 2 * this.#options.mostBytes) + headBytes);
    socket.on('data', (chunk: Buffer) => {
      if (guard.admits(chunk)) return;
      this.#end({
        by: 'fault',
        isFinal: false,
        message: 'The broker sent a packet that is larger than any event may be.',
      });
    });
    socket.on('error', (error) => (this.#cause ??= codeOf(error)));
    return socket;
  }

  #listen(client: MqttClient): void {
    client.handleMessage = (packet, taken) => this.#message(packet, () => taken());
    client.on('connect', (packet) => this.#opened(packet));
    client.on('packetreceive', () => this.#heard());
    client.on('disconnect', ({ reasonCode }) => (this.#refusal ??= reasonCode));
    client.on('error', (error) => {
      if ('code' in error && typeof error.code === 'number') this.#refusal ??= error.code;
      else this.#cause ??= codeOf(error);
      // What the library cannot read is read no further.
      if (this.#refusal === undefined) this.#socket?.destroy();
    });
    client.on('close', () => this.#closed());
  }

  #opened({ sessionPresent, properties }: Parameters<OnConnectCallback>[0]): void {
    if (this.#isOver) return;
    clearTimeout(this.#opening);
    const { everyMs, expectMs, listener } = this.#options;
    const asked = (properties?.serverKeepAlive ?? Infinity) * 500;
    this.#heard();
    this.#beat = setInterval(() => this.#client?.sendPing(), Math.max(1, Math.min(everyMs, expectMs / 2, asked)));
    listener.opened(sessionPresent);
  }

  #message({ topic, payload, retain }: IPublishPacket, taken: () => void): void {
    if (this.#isOver) return;
    this.#untaken += 1;
    clearTimeout(this.#silence);
    this.#silence = undefined;
    let isTaken = false;
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    this.#options.listener.message({ topic, payload: bytes, retained: retain }, () => {
      if (isTaken) return;
      isTaken = true;
      this.#untaken -= 1;
      if (this.#isOver) return;
      this.#heard();
      taken();
    });
  }

  #heard(): void {
    this.#heardMs = performance.now();
    if (this.#untaken > 0 || this.#isOver) return;
    if (this.#silence === undefined) this.#silence = setTimeout(() => this.#lookForSilence(), this.#options.expectMs);
    else this.#silence.refresh();
  }

  /** What has arrived while this thread did something else is read before the broker is called silent. */
  #lookForSilence(): void {
    const { expectMs } = this.#options;
    setImmediate(() => {
      if (this.#isOver || this.#untaken > 0) return;
      // A timer may be early by a part of a millisecond: it looks again, or nobody ever would.
      if (performance.now() - this.#heardMs < expectMs) return void this.#silence?.refresh();
      this.#end({
        by: 'silence',
        isFinal: false,
        message: `The broker was silent for ${String(expectMs)} ms (heartbeat.expectMs) and counts as dead.`,
      });
    });
  }

  #closed(): void {
    const code = this.#refusal;
    if (code !== undefined && code > 0) {
      const why = reasons[code] ?? `reason code ${String(code)}`;
      return this.#end({
        by: 'refused',
        isFinal: finalReasons.has(code),
        message: `The broker refused the connection: ${why}.`,
      });
    }
    if (this.#cause === undefined)
      return this.#end({ by: 'closed', isFinal: false, message: 'The broker closed the connection.' });
    this.#end({ by: 'fault', isFinal: false, message: `The connection failed (${this.#cause}).` });
  }

  #end(end: BrokerEnd): void {
    if (this.#isOver) return;
    this.#over();
    this.#client?.end(true);
    this.#socket?.destroy();
    this.#options.listener.ended(end);
  }

  #over(): void {
    this.#isOver = true;
    clearTimeout(this.#opening);
    clearTimeout(this.#silence);
    clearInterval(this.#beat);
  }
}

/** Of version 3.1.1 below 128, of version 5 from there on. */
const reasons: Readonly<Record<number, string>> = {
  1: 'it does not speak this version of the protocol',
  2: 'it does not take the client id',
  3: 'it is not available',
  4: 'the user or the password is wrong',
  5: 'the user is not allowed to connect',
  129: 'a packet was malformed',
  130: 'the protocol was broken',
  132: 'it does not speak this version of the protocol',
  133: 'it does not take the client id',
  134: 'the user or the password is wrong',
  135: 'the user is not allowed to do this',
  136: 'it is not available',
  137: 'it is busy',
  138: 'the client is banned',
  139: 'it shuts down',
  141: 'it heard nothing for too long',
  142: 'another client has connected under the same client id',
  149: 'a packet was too large',
  151: 'a quota is exceeded',
  156: 'another broker is to be used',
  157: 'the broker has moved',
  159: 'there are too many connections',
};

const finalReasons: ReadonlySet<number> = new Set([1, 2, 4, 5, 129, 130, 132, 133, 134, 135, 138, 142, 156, 157]);

/** Words of the library may hold what was sent. */
export function codeOf(thrown: unknown): string {
  const code: unknown = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  return typeof code === 'string' && /^[A-Z_0-9]{1,48}$/.test(code) ? code : 'the protocol was broken';
}
