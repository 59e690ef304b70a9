// Publishes commands to MQTT brokers, over one connection for all outputs that name the same broker and credential. A
// connection is made with the first command and closed when none has come for a while.
import { randomBytes } from 'node:crypto';
import { belowTopic } from '../../protocol/topics.ts';
import type { CommandAnswer, MqttCommand } from '../../protocol/edge/messages.ts';
import { commandText } from './command-text.ts';
import type { Credentials } from './credentials.ts';
import { BrokerConnection, type BrokerEnd, codeOf } from './mqtt-connection.ts';

const idleMs = 60_000;
const heartbeat = { everyMs: 30_000, expectMs: 60_000 };
/** What a broker sends to a client that listens to nothing. */
const mostBytes = 64 * 1024;

interface Shared {
  readonly connection: BrokerConnection;
  readonly password: string | undefined;
  /** Resolves with the end where it was never open. */
  readonly opened: Promise<BrokerEnd | undefined>;
  /** Of commands on their way: called if the connection ends. */
  readonly users: Set<(answer: CommandAnswer) => void>;
  idle: NodeJS.Timeout | undefined;
}

const unreachable = (message: string): CommandAnswer => ({ is: 'retry', code: 'output_unreachable', message });

export class MqttOutput {
  readonly #credentials: Credentials;
  readonly #connections = new Map<string, Shared>();

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  /** Never rejects. */
  async send(command: MqttCommand): Promise<CommandAnswer> {
    const { auth, topic: declared, below, timeoutMs } = command;
    const target = belowTopic(declared, below);
    if (!target.ok) return { is: 'refused', code: 'invalid_request', message: target.message };
    const found = auth === undefined ? undefined : this.#credentials.find(auth.env);
    if (found?.ok === false)
      return { is: 'retry', code: 'credential_missing', message: `The output has no credential: ${found.message}.` };
    const key = keyOf(command);
    const shared = this.#shared(key, command, found?.value);
    clearTimeout(shared.idle);
    return await new Promise((resolve) => {
      const settle = (answer: CommandAnswer): void => {
        clearTimeout(late);
        shared.users.delete(settle);
        this.#restWhenIdle(key, shared);
        resolve(answer);
      };
      const late = setTimeout(
        () => settle(unreachable(`The broker did not acknowledge within ${String(timeoutMs)} ms.`)),
        timeoutMs,
      );
      shared.users.add(settle);
      void published(shared, command, target.topic).then(settle);
    });
  }

  /** A connection whose credential is another one now is not used any more. */
  reread(): void {
    for (const [key, shared] of this.#connections) {
      const { auth } = JSON.parse(key) as Pick<MqttCommand, 'auth'>;
      const found = auth === undefined ? undefined : this.#credentials.find(auth.env);
      if (found !== undefined && (!found.ok || found.value !== shared.password)) this.#drop(key, shared);
    }
  }

  close(): void {
    for (const [key, shared] of this.#connections) this.#drop(key, shared);
  }

  #restWhenIdle(key: string, shared: Shared): void {
    clearTimeout(shared.idle);
    if (shared.users.size > 0 || this.#connections.get(key) !== shared) return;
    shared.idle = setTimeout(() => this.#drop(key, shared), idleMs);
  }

  #drop(key: string, shared: Shared): void {
    clearTimeout(shared.idle);
    this.#connections.delete(key);
    shared.connection.close();
    for (const settle of [...shared.users]) settle(unreachable('The connection to the broker was given up.'));
  }

  #shared(key: string, { url, auth, version, clientId }: MqttCommand, password: string | undefined): Shared {
    const known = this.#connections.get(key);
    if (known !== undefined) return known;
    let tellOpened: (end?: BrokerEnd) => void = () => undefined;
    const opened = new Promise<BrokerEnd | undefined>((resolve) => (tellOpened = resolve));
    const connection = new BrokerConnection({
      url,
      version,
      clientId: clientId ?? `nagaya-out-${randomBytes(9).toString('hex')}`,
      sessionSeconds: 0,
      username: auth?.username ?? (auth === undefined ? undefined : ''),
      password,
      connectMs: 10_000,
      ...heartbeat,
      mostBytes,
      listener: {
        opened: () => tellOpened(),
        message: (_message, taken) => taken(),
        ended: (end) => {
          clearTimeout(shared.idle);
          if (this.#connections.get(key) === shared) this.#connections.delete(key);
          tellOpened(end);
          for (const settle of [...shared.users]) settle(failed(end));
        },
      },
    });
    const shared: Shared = { connection, password, opened, users: new Set(), idle: undefined };
    this.#connections.set(key, shared);
    return shared;
  }
}

const keyOf = ({ url, auth, version, clientId }: MqttCommand): string =>
  JSON.stringify({ url, auth, version, clientId });

const failed = ({ by, message }: BrokerEnd): CommandAnswer =>
  by === 'package' ? { is: 'retry', code: 'package_missing', message } : unreachable(message);

async function published(shared: Shared, command: MqttCommand, topic: string): Promise<CommandAnswer> {
  const end = await shared.opened;
  if (end !== undefined) return failed(end);
  const { json, qos, retain, idempotencyKey } = command;
  try {
    await shared.connection.publish({ topic, payload: commandText(json), qos, retain, idempotencyKey });
    return { is: 'sent' };
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
    if (typeof code !== 'number') return unreachable(`The broker cannot be reached (${codeOf(thrown)}).`);
    const why = refusals[code];
    return why === undefined
      ? unreachable(`The broker did not take the command (reason code ${String(code)}).`)
      : { is: 'refused', code: 'output_refused', message: `The broker refused the command: ${why}.` };
  }
}

/** Reason codes after which another attempt could only be refused again. */
const refusals: Readonly<Record<number, string>> = {
  135: 'the user may not publish to this topic',
  144: 'it does not take this topic',
  149: 'it is too large',
  153: 'its form is not what the broker wants',
};
