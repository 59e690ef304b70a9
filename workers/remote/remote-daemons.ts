// All remote daemons, in their thread: each question goes to its daemon by the paths of the operation table, and its
// answer is told to the host once it has been checked.
import { HostError, asHostError } from '../../protocol/errors.ts';
import { Gathered } from '../../protocol/gathered.ts';
import type {
  FromRemote,
  NumberedAnswer,
  RemoteAnswer,
  RemoteAsk,
  RemoteData,
  RemoteDaemon,
  RemoteRows,
  ToRemote,
} from '../../protocol/remote/messages.ts';
import { Credentials } from '../edge/credentials.ts';
import { type Origin, resultOf } from './answers.ts';
import { EventFeeds } from './event-feeds.ts';
import { RemoteConnection, type Room } from './remote-connection.ts';
import { requestOf } from './requests.ts';

interface Reached {
  readonly daemon: RemoteDaemon;
  readonly connection: RemoteConnection;
  readonly origin: Origin;
  readonly feeds: EventFeeds;
}

/** So many answers of the largest size may be on their way at once. */
const largestAnswers = 2;

export class RemoteDaemons {
  readonly #tell: (message: FromRemote) => void;
  readonly #rows: RemoteRows;
  readonly #reached: ReadonlyMap<string, Reached>;
  readonly #answers: Gathered<NumberedAnswer>;
  readonly #asking = new Map<number, AbortController>();

  constructor(
    { daemons, rows, event, answerBytes, nesting, answerMs }: RemoteData,
    tell: (message: FromRemote) => void,
  ) {
    this.#tell = tell;
    this.#answers = new Gathered((answers) => tell({ type: 'answered', answers }));
    this.#rows = rows;
    const room = roomOf(largestAnswers * answerBytes);
    // Tokens stand in files alone.
    const credentials = new Credentials({});
    this.#reached = new Map(
      daemons.map((daemon): [string, Reached] => {
        const connection = new RemoteConnection({ daemon, credentials, answerBytes, room });
        const origin: Origin = {
          id: daemon.id,
          nesting,
          withoutSecrets: connection.withoutSecrets,
          refuseToken: (text) => connection.refuseToken(text),
        };
        const feeds = new EventFeeds({
          row: rows['worker.events'],
          shape: event,
          origin,
          connection,
          answerMs,
          eventBytes: answerBytes,
        });
        return [daemon.id, { daemon, connection, origin, feeds }];
      }),
    );
  }

  receive(message: ToRemote): void {
    switch (message.type) {
      case 'ask':
        void this.#answer(message).then((answer) => this.#answers.add({ id: message.id, answer }));
        break;
      case 'cancel':
        this.#asking.get(message.id)?.abort();
        break;
      case 'reread':
        for (const { connection } of this.#reached.values()) connection.reread();
        break;
      case 'look':
        this.#tell({ type: 'looked', look: message.id });
        break;
      case 'close':
        for (const asking of this.#asking.values()) asking.abort();
        for (const { connection, feeds } of this.#reached.values()) {
          feeds.close();
          connection.close();
        }
        break;
    }
  }

  async #answer(ask: RemoteAsk): Promise<RemoteAnswer> {
    const asking = new AbortController();
    this.#asking.set(ask.id, asking);
    try {
      return { ok: true, value: await this.#ask(ask, asking.signal) };
    } catch (thrown) {
      const { code, message, details } = asHostError(thrown);
      return { ok: false, code, message, details: { ...details } };
    } finally {
      this.#asking.delete(ask.id);
    }
  }

  async #ask({ daemon: id, operation, params, timeoutMs }: RemoteAsk, signal: AbortSignal): Promise<unknown> {
    const reached = this.#reached.get(id);
    if (reached === undefined)
      throw new HostError('runtime_not_found', `There is no runtime ${id}.`, { runtimeId: id });
    const { daemon, connection, origin, feeds } = reached;
    const there = { ...params, runtimeId: daemon.runtime };
    if (operation === 'worker.events') return await feeds.page(there, signal);
    const row = this.#rows[operation];
    const { path, body } = requestOf(row, there);
    const answer = await connection.ask({ method: row.method, path, body, timeoutMs, signal });
    return resultOf(origin, row, params, answer);
  }
}

function roomOf(most: number): Room {
  let held = 0;
  return {
    take(bytes) {
      held += bytes;
      return held <= most;
    },
    give(bytes) {
      held -= bytes;
    },
  };
}
