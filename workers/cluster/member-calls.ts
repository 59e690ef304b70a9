// Calls between members: requests and replies on the server, each with a deadline and an end that the caller can order.
// What a member asks is parsed and bounded here.
import type { Msg, Subscription } from '@nats-io/transport-node';
import {
  type AskAnswer,
  type ClusterData,
  type FromCluster,
  type ToCluster,
  clusterProtocol,
} from '../../protocol/cluster/messages.ts';
import { isErrorCode } from '../../protocol/errors.ts';
import { nestsDeeper } from '../edge/nesting.ts';
import { parsed } from './board.ts';
import type { Nats } from './nats-link.ts';

type Ask = Extract<ToCluster, { type: 'ask' }>;

interface Question {
  readonly protocol: number;
  readonly version: string;
  readonly member: string;
  readonly key: string;
  readonly operation: string;
  readonly timeoutMs: number;
  readonly params: unknown;
}

const refused = (code: Extract<AskAnswer, { ok: false }>['code'], message: string): AskAnswer => ({
  ok: false,
  code,
  message,
  details: {},
});

export class MemberCalls {
  readonly #data: ClusterData;
  readonly #session: string;
  readonly #tell: (message: FromCluster) => void;
  readonly #asked = new Map<number, { readonly member: string; readonly key: string }>();
  /** What others have asked of this member, by the number that the host knows. */
  readonly #answering = new Map<number, Msg>();
  readonly #numbers = new Map<string, number>();
  #last = 0;
  #nats: Nats | undefined;
  #subscriptions: Subscription[] = [];

  constructor(data: ClusterData, session: string, tell: (message: FromCluster) => void) {
    this.#data = data;
    this.#session = session;
    this.#tell = tell;
  }

  up(nats: Nats): void {
    if (this.#nats === nats) return;
    this.#nats = nats;
    const { member } = this.#data;
    this.#subscriptions = [
      nats.connection.subscribe(this.#subject(member, 'ask'), {
        callback: (error, message) => (error === null ? this.#question(message) : undefined),
      }),
      nats.connection.subscribe(this.#subject(member, 'cancel'), {
        callback: (error, message) => (error === null ? this.#cancelled(message.string()) : undefined),
      }),
    ];
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#subscriptions = [];
  }

  ask(ask: Ask): void {
    void this.#ask(ask).then((answer) => this.#tell({ type: 'answered', id: ask.id, answer }));
  }

  /** The caller waits no more. */
  cancel(id: number): void {
    const asked = this.#asked.get(id);
    if (asked !== undefined) this.#nats?.connection.publish(this.#subject(asked.member, 'cancel'), asked.key);
  }

  reply(id: number, answer: AskAnswer): void {
    const message = this.#answering.get(id);
    this.#answering.delete(id);
    for (const [key, number] of this.#numbers) if (number === id) this.#numbers.delete(key);
    if (message !== undefined) this.#respond(message, answer);
  }

  #respond(message: Msg, answer: AskAnswer): void {
    const text = answer.ok ? `+${answer.json}` : `-${JSON.stringify(answer)}`;
    const most = this.#nats?.connection.info?.max_payload ?? this.#data.messageBytes;
    message.respond(
      Buffer.byteLength(text) <= most
        ? text
        : `-${JSON.stringify(refused('payload_too_large', `The answer is larger than the ${String(most)} bytes that the NATS server takes in one message (max_payload).`))}`,
    );
  }

  async #ask({ id, member, operation, params, timeoutMs, parsed: asValue }: Ask): Promise<AskAnswer> {
    const nats = this.#nats;
    if (nats === undefined) return refused('cluster_unavailable', 'The NATS server is away.');
    const key = `${this.#session}/${String(id)}`;
    const { version, member: own } = this.#data;
    const head = { protocol: clusterProtocol, version, member: own, key, operation, timeoutMs };
    this.#asked.set(id, { member, key });
    try {
      const reply = await nats.connection.request(
        this.#subject(member, 'ask'),
        `${JSON.stringify(head).slice(0, -1)},"params":${params}}`,
        { timeout: timeoutMs + marginMs },
      );
      return answerOf(reply.string(), asValue);
    } catch (thrown) {
      return this.#failure(thrown, member);
    } finally {
      this.#asked.delete(id);
    }
  }

  #failure(thrown: unknown, member: string): AskAnswer {
    const text = thrown instanceof Error ? `${thrown.name} ${thrown.message}` : String(thrown);
    if (/max_payload|payload/i.test(text))
      return refused(
        'payload_too_large',
        'The call is larger than what the NATS server takes in one message (max_payload).',
      );
    if (/no responders/i.test(text)) return refused('member_unavailable', `The member ${member} is not there.`);
    if (/timeout/i.test(text)) return refused('member_unavailable', `The member ${member} did not answer in time.`);
    return refused('cluster_unavailable', `The NATS server did not pass the call on: ${text.slice(0, 200)}.`);
  }

  #question(message: Msg): void {
    const text = message.string();
    const question = parsed(message.data) as Partial<Question> | undefined;
    if (question === undefined || typeof question.operation !== 'string' || typeof question.key !== 'string')
      return this.#respond(message, refused('invalid_request', 'This is no call of a member.'));
    if (question.protocol !== clusterProtocol)
      return this.#respond(
        message,
        refused(
          'member_version',
          `The member ${this.#data.member} (${this.#data.version}) does not understand ${String(question.member)} (${String(question.version)}): upgrade the older one.`,
        ),
      );
    if (nestsDeeper(text, this.#data.nesting + 2))
      return this.#respond(message, refused('invalid_request', 'The parameters nest too deeply (limits.nesting).'));
    if (this.#answering.size >= this.#data.pending)
      return this.#respond(message, refused('too_many_requests', 'Too many calls of other members wait here.'));
    const id = (this.#last += 1);
    this.#answering.set(id, message);
    this.#numbers.set(question.key, id);
    this.#tell({
      type: 'asked',
      id,
      member: String(question.member),
      operation: question.operation,
      params: question.params ?? {},
      timeoutMs: typeof question.timeoutMs === 'number' ? question.timeoutMs : this.#data.requestMs,
    });
  }

  #cancelled(key: string): void {
    const id = this.#numbers.get(key);
    if (id !== undefined) this.#tell({ type: 'askCancelled', id });
  }

  readonly #subject = (member: string, what: 'ask' | 'cancel'): string =>
    `nagaya.${this.#data.name}.member.${member}.${what}`;
}

/** The member that is asked keeps the deadline; beyond it, it is not there. */
const marginMs = 5000;

function answerOf(text: string, asValue: boolean): AskAnswer {
  if (text.startsWith('+')) {
    const json = text.slice(1);
    return asValue ? { ok: true, json: '', value: JSON.parse(json) as unknown } : { ok: true, json };
  }
  const found = parsed(new TextEncoder().encode(text.slice(1))) as
    Partial<Extract<AskAnswer, { ok: false }>> | undefined;
  if (found?.message === undefined || !isErrorCode(found.code))
    return refused('member_version', 'The member answered in a way that this version does not understand.');
  return { ok: false, code: found.code, message: found.message, details: found.details ?? {} };
}
