// One fault committed in a service's handler, and what can be seen of it from outside until the service works again.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../protocol/client/client.ts';
import type { HostError } from '../../protocol/errors.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import { type Fault, bounds } from './fault.ts';
import {
  type Answer,
  type Recovery,
  type Seen,
  answerTo,
  unanswered,
  untilDaemonEnds,
  wordsOf,
} from './observation.ts';
import { Outage } from './outage.ts';
import { deadlineOf, deadlines, repair, pluginIdOf } from './plugin-folder.ts';

type Status = OperationResult<'service.status'>;

/** What comes late comes within this. */
const quietMs = 150;
const betweenTriesMs = 5;
/** Beyond every deadline: when nothing came by then, nothing comes. */
const patienceMs = 5000;

/** `recovered` is called when the slot works again, before the kit looks further. */
export async function serviceTrial(client: Client, fault: Fault, folder: string, recovered: () => void): Promise<Seen> {
  return await new ServiceTrial(client, fault, folder, recovered).run();
}

class ServiceTrial {
  readonly #client: Client;
  readonly #fault: Fault;
  readonly #folder: string;
  readonly #plugin: string;
  readonly #recovered: () => void;
  readonly #problems: string[] = [];
  #answer: Answer = unanswered;
  #outage: Outage | undefined;
  #by: Recovery['by'] = 'itself';
  #crashed = false;
  #lastError: string | undefined;
  /** The one the fault is committed in. */
  readonly #incarnation = 1;
  #tries = 0;

  constructor(client: Client, fault: Fault, folder: string, recovered: () => void) {
    this.#client = client;
    this.#fault = fault;
    this.#folder = folder;
    this.#plugin = pluginIdOf(fault);
    this.#recovered = recovered;
  }

  async run(): Promise<Seen> {
    await untilDaemonEnds(() => this.#steps());
    const answer = this.#answer;
    const cause = answer.kind === 'answer' && this.#crashed ? (this.#lastError ?? answer.message) : answer.message;
    return {
      answer,
      recovery: { ms: this.#outage?.ms ?? null, by: this.#by },
      crashedLater: this.#crashed,
      problems: this.#problems,
      cause,
    };
  }

  async #steps(): Promise<void> {
    await this.#client.call('plugin.load', { path: this.#folder, remember: false });
    const { atImport, crashesLater } = this.#fault;
    this.#answer = atImport === true ? await this.#importIt() : await this.#commit();
    if (this.#answer.kind === 'none') return;
    this.#outage = new Outage(performance.now());
    await this.#recover(this.#outage, this.#answer.kind === 'answer' && crashesLater === true);
    this.#recovered();
    this.#balance(await this.#status());
  }

  async #importIt(): Promise<Answer> {
    const answer = await answerTo(
      () => this.#client.call('service.start', { plugin: this.#plugin }, { timeoutMs: deadlines.startMs + patienceMs }),
      deadlines.startMs,
    );
    repair(this.#folder);
    return answer;
  }

  async #commit(): Promise<Answer> {
    await this.#client.call('service.start', { plugin: this.#plugin });
    await this.#work();
    const deadlineMs = deadlineOf(this.#fault, 'service');
    const correlationId = `fault-${this.#fault.id}`;
    return await answerTo(async () => {
      const event = { ingress: 'kit', kind: 'fault', payload: { deed: this.#fault.id }, correlationId };
      const delivered = await this.#client.call(
        'ingress.deliver',
        { plugin: this.#plugin, event },
        { timeoutMs: deadlineMs + patienceMs },
      );
      if (delivered.correlationId !== correlationId)
        this.#problems.push(`the answer carries the correlation id ${delivered.correlationId}`);
      return delivered.output;
    }, deadlineMs);
  }

  /** Tries until the service does its work, all that was to come late has come, and nothing more does. */
  async #recover(outage: Outage, awaitsCrash: boolean): Promise<void> {
    const beganMs = performance.now();
    const before = this.#incarnation;
    for (;;) {
      const worked = await this.#tryWork(outage);
      const { incarnation, lastError, lifecycle, restart } = await this.#status();
      this.#crashed = incarnation > before || lastError?.code === 'cell_crashed';
      this.#lastError = lastError?.message;
      if (!worked && lifecycle === 'failed' && restart?.pending !== true) await this.#startByHand();
      const passedMs = performance.now() - beganMs;
      if ((worked && passedMs >= quietMs && (!awaitsCrash || this.#crashed)) || passedMs >= bounds.recoveryMs) return;
      await sleep(betweenTriesMs);
    }
  }

  /**
   * An honest event that is refused will be tried again; one that is blamed for what another did is a fault of the
   * host's.
   */
  async #tryWork(outage: Outage): Promise<boolean> {
    const beganMs = performance.now();
    try {
      await this.#work();
      outage.good(beganMs);
      return true;
    } catch (thrown) {
      outage.bad(beganMs);
      const words = wordsOf(thrown);
      const { code } = thrown as HostError;
      if (code === 'dispatch_timeout' || code === 'dispatch_failed' || code === 'cell_crashed')
        this.#problems.push(`a later event paid for it: ${words}`);
      return false;
    }
  }

  async #work(): Promise<void> {
    this.#tries += 1;
    const n = this.#tries;
    const { output } = await this.#client.call('ingress.deliver', {
      plugin: this.#plugin,
      event: { ingress: 'kit', kind: 'work', payload: { n } },
      timeoutMs: bounds.recoveryMs,
    });
    if ((output as { n?: unknown } | null)?.n !== n)
      this.#problems.push(`a later event was answered ${JSON.stringify(output)}`);
  }

  async #startByHand(): Promise<void> {
    this.#by = 'command';
    try {
      await this.#client.call('service.start', { plugin: this.#plugin });
    } catch (thrown) {
      // A start that fails is told by the next try.
      wordsOf(thrown);
    }
  }

  #status(): Promise<Status> {
    return this.#client.call('service.status', { plugin: this.#plugin });
  }

  #balance({ counters, queue, inFlight }: Status): void {
    const { enqueued, handled, failed, deadLettered, discarded } = counters;
    const open = queue.depth + (inFlight === null ? 0 : 1);
    if (enqueued !== handled + failed + deadLettered + discarded + open)
      this.#problems.push(`the books do not balance: ${JSON.stringify({ ...counters, open })}`);
  }
}
