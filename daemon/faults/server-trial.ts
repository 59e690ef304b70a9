// One fault committed by an MCP server that is hosted, and what can be seen of it from outside until its tools work
// again.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../protocol/client/client.ts';
import type { HostError } from '../../protocol/errors.ts';
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
import { deadlineOf, repair, pluginIdOf, serverStartMs } from './plugin-folder.ts';

/** What comes late comes within this. */
const quietMs = 150;
const betweenTriesMs = 10;
/** Beyond every deadline: when nothing came by then, nothing comes. */
const patienceMs = 5000;
/** Calls at once, after it has recovered. */
const burst = 12;

/** `recovered` is called when its tools work again, before the kit looks further. */
export async function serverTrial(client: Client, fault: Fault, folder: string, recovered: () => void): Promise<Seen> {
  return await new ServerTrial(client, fault, folder, recovered).run();
}

class ServerTrial {
  readonly #client: Client;
  readonly #fault: Fault;
  readonly #folder: string;
  readonly #plugin: string;
  readonly #recovered: () => void;
  readonly #problems: string[] = [];
  #answer: Answer = unanswered;
  #outage: Outage | undefined;
  #by: Recovery['by'] = 'itself';

  constructor(client: Client, fault: Fault, folder: string, recovered: () => void) {
    this.#client = client;
    this.#fault = fault;
    this.#folder = folder;
    this.#plugin = pluginIdOf(fault);
    this.#recovered = recovered;
  }

  async run(): Promise<Seen> {
    await untilDaemonEnds(() => this.#steps());
    return {
      answer: this.#answer,
      recovery: { ms: this.#outage?.ms ?? null, by: this.#by },
      crashedLater: false,
      problems: this.#problems,
      cause: this.#answer.message,
    };
  }

  async #steps(): Promise<void> {
    await this.#client.call('plugin.load', { path: this.#folder, remember: false });
    this.#answer = this.#fault.atImport === true ? await this.#start() : await this.#commit();
    if (this.#answer.kind === 'none') return;
    this.#outage = new Outage(performance.now());
    await this.#recover(this.#outage);
    this.#recovered();
    await this.#burst();
  }

  async #start(): Promise<Answer> {
    const deadlineMs = serverStartMs(this.#fault);
    const answer = await answerTo(
      () => this.#client.call('service.start', { plugin: this.#plugin }, { timeoutMs: deadlineMs + patienceMs }),
      deadlineMs,
    );
    repair(this.#folder);
    return answer;
  }

  async #commit(): Promise<Answer> {
    await this.#client.call('service.start', { plugin: this.#plugin });
    await this.#work(0);
    const deadlineMs = deadlineOf(this.#fault, 'server');
    return await answerTo(async () => textOf(await this.#call('fault', {}, deadlineMs + patienceMs)), deadlineMs);
  }

  /** Tries until a call is answered, and goes on being answered. */
  async #recover(outage: Outage): Promise<void> {
    const beganMs = performance.now();
    for (let n = 1; ; n += 1) {
      const worked = await this.#tryWork(outage, n);
      const { lifecycle, restart } = await this.#client.call('service.status', { plugin: this.#plugin });
      if (!worked && lifecycle === 'failed' && restart?.pending !== true) await this.#startByHand();
      const passedMs = performance.now() - beganMs;
      if ((worked && passedMs >= quietMs) || passedMs >= bounds.recoveryMs) return;
      await sleep(betweenTriesMs);
    }
  }

  /** All calls share one process: a call that is with it when it ends is told so, and is tried again here. */
  async #tryWork(outage: Outage, n: number): Promise<boolean> {
    const beganMs = performance.now();
    try {
      await this.#work(n);
      outage.good(beganMs);
      return true;
    } catch (thrown) {
      outage.bad(beganMs);
      const words = wordsOf(thrown);
      const { code } = thrown as HostError;
      if (!['tool_crashed', 'tool_timeout', 'service_failed'].includes(code))
        this.#problems.push(`a later call paid for it: ${words}`);
      return false;
    }
  }

  async #burst(): Promise<void> {
    const calls = Array.from({ length: burst }, (_, at) => this.#work(at));
    const ended = await Promise.allSettled(calls);
    const refused = ended.flatMap((call) => (call.status === 'rejected' ? [wordsOf(call.reason)] : []));
    if (refused.length > 0)
      this.#problems.push(
        `${String(refused.length)} of ${String(burst)} calls that came after it failed: ${String(refused[0])}`,
      );
  }

  async #work(n: number): Promise<void> {
    const said = textOf(await this.#call('work', { n }, bounds.recoveryMs));
    if (said !== String(n)) this.#problems.push(`a later call was answered ${JSON.stringify(said)}`);
  }

  async #call(tool: string, input: object, timeoutMs: number): Promise<unknown> {
    const { output } = await this.#client.call('tool.call', { plugin: this.#plugin, tool, input }, { timeoutMs });
    return output;
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
}

const textOf = (output: unknown): unknown =>
  (output as { content?: readonly { readonly text?: string }[] } | null)?.content?.[0]?.text;
