// One fault committed in a tool's call, and what can be seen of it from outside until every slot of its pool works
// again.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../protocol/client/client.ts';
import { type Fault, bounds } from './fault.ts';
import { type Answer, type Seen, answerTo, unanswered, untilDaemonEnds, wordsOf } from './observation.ts';
import { Outage } from './outage.ts';
import { deadlineOf, deadlines, repair, pluginIdOf } from './plugin-folder.ts';

const quietMs = 150;
/** Each may take a thread or a process of its own to begin with: more would only measure the kit. */
const betweenTriesMs = 50;
const patienceMs = 5000;
/** A call beside the faulty one, in another slot. */
const companionMs = 200;
/** More than a pool has slots, so that each of them is used. */
const burst = 12;
/** It finds out whether a slot is lost, not how fast a busy machine starts a process for each call. */
const burstMs = 30_000;

/** `recovered` is called when the slot works again, before the kit looks further. */
export async function toolTrial(client: Client, fault: Fault, folder: string, recovered: () => void): Promise<Seen> {
  return await new ToolTrial(client, fault, folder, recovered).run();
}

class ToolTrial {
  readonly #client: Client;
  readonly #fault: Fault;
  readonly #folder: string;
  readonly #plugin: string;
  readonly #recovered: () => void;
  readonly #problems: string[] = [];
  #answer: Answer = unanswered;
  #outage: Outage | undefined;

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
      recovery: { ms: this.#outage?.ms ?? null, by: 'itself' },
      crashedLater: false,
      problems: this.#problems,
      cause: this.#answer.message,
    };
  }

  async #steps(): Promise<void> {
    const imports = this.#fault.atImport === true;
    const refused = imports ? await this.#refusedAtLoad() : undefined;
    if (!imports || refused !== undefined) await this.#load();
    if (!imports) await this.#work(0);
    const companion = imports ? undefined : this.#companion();
    this.#answer = refused ?? (await this.#commit());
    if (imports) repair(this.#folder);
    if (this.#answer.kind === 'none') return;
    this.#outage = new Outage(performance.now());
    await this.#recover(this.#outage);
    this.#recovered();
    await companion;
    await this.#burst();
  }

  async #load(): Promise<void> {
    await this.#client.call('plugin.load', { path: this.#folder, remember: false });
  }

  /**
   * A plugin without a service is imported when it is loaded. Undefined where it is loaded all the same: its import is
   * only slow.
   */
  async #refusedAtLoad(): Promise<Answer | undefined> {
    const answer = await answerTo(async () => {
      await this.#load();
      return undefined;
    }, deadlines.startMs);
    if (answer.kind !== 'failed') return undefined;
    repair(this.#folder);
    return answer;
  }

  #commit(): Promise<Answer> {
    const deadlineMs = deadlineOf(this.#fault, 'tool');
    return answerTo(async () => {
      const { output } = await this.#client.call(
        'tool.call',
        { plugin: this.#plugin, tool: 'fault', input: { deed: this.#fault.id } },
        { timeoutMs: deadlineMs + patienceMs },
      );
      return output;
    }, deadlineMs);
  }

  async #companion(): Promise<void> {
    await untilDaemonEnds(async () => {
      try {
        await this.#work(1, companionMs);
      } catch (thrown) {
        this.#problems.push(`a call beside it paid for it: ${wordsOf(thrown)}`);
      }
    });
  }

  async #recover(outage: Outage): Promise<void> {
    const beganMs = performance.now();
    for (;;) {
      const worked = await this.#tryWork(outage);
      const passedMs = performance.now() - beganMs;
      if ((worked && passedMs >= quietMs) || passedMs >= bounds.recoveryMs) return;
      await sleep(betweenTriesMs);
    }
  }

  async #tryWork(outage: Outage): Promise<boolean> {
    const beganMs = performance.now();
    try {
      await this.#work(2);
      outage.good(beganMs);
      return true;
    } catch (thrown) {
      outage.bad(beganMs);
      this.#problems.push(`a later call paid for it: ${wordsOf(thrown)}`);
      return false;
    }
  }

  async #burst(): Promise<void> {
    const calls = Array.from({ length: burst }, (_, at) => this.#work(at, undefined, burstMs));
    const ended = await Promise.allSettled(calls);
    const refused = ended.flatMap((call) => (call.status === 'rejected' ? [wordsOf(call.reason)] : []));
    if (refused.length > 0)
      this.#problems.push(
        `${String(refused.length)} of ${String(burst)} calls that came after it failed: ${String(refused[0])}`,
      );
  }

  async #work(n: number, ms?: number, timeoutMs?: number): Promise<void> {
    const input = ms === undefined ? { n } : { n, ms };
    const { output } = await this.#client.call('tool.call', {
      plugin: this.#plugin,
      tool: 'work',
      input,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    if ((output as { n?: unknown } | null)?.n !== n)
      this.#problems.push(`a later call was answered ${JSON.stringify(output)}`);
  }
}
