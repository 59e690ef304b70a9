// What no thread can hold, tried under a guardian: the daemon may die of it, and then has to be back, say who did it,
// and run that plugin as a process. The plugin is in a folder of the configuration, because what is loaded at run time
// is not loaded again.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, HostError } from '../../protocol/client/client.ts';
import type { DaemonStatus } from '../../protocol/operations/daemon.ts';
import { type Fault, type Place, sharesProcess } from './fault.ts';
import { KitDaemon, makeFolder } from './kit-daemon.ts';
import { type Answer, type Observation, answerTo } from './observation.ts';
import { deadlineOf, pluginIdOf, writeFaulty } from './plugin-folder.ts';
import { until } from './until.ts';

/** A thread that was given up may go on inside V8 for a while before V8 aborts. */
const diesMs = 40_000;
/** Longer than the time in which a thread that is being ended is not yet given up. */
const quietMs = 8000;
const beginsMs = 5000;
const backMs = 30_000;
const lookEveryMs = 50;

type Death = NonNullable<DaemonStatus['guardian']>['deaths'][number];

export async function guardianTrial(fault: Fault, place: Place): Promise<Observation> {
  const folder = makeFolder();
  const plugins = join(folder, 'plugins');
  mkdirSync(plugins);
  writeFaulty(plugins, fault, place);
  const daemon = await KitDaemon.start({
    folder,
    guardian: true,
    config: () => ({ plugins: { folders: [plugins] }, guardian: { restart: { backoffMs: [20, 100] } } }),
  });
  try {
    return await new GuardianTrial(daemon, fault, place).run();
  } finally {
    await daemon.remove({ withFolder: true });
  }
}

class GuardianTrial {
  readonly #daemon: KitDaemon;
  readonly #fault: Fault;
  readonly #place: Place;
  readonly #plugin: string;
  readonly #problems: string[] = [];
  /** Its thread was still inside V8 at the end of the trial. */
  #goesOn = false;

  constructor(daemon: KitDaemon, fault: Fault, place: Place) {
    this.#daemon = daemon;
    this.#fault = fault;
    this.#place = place;
    this.#plugin = pluginIdOf(fault);
  }

  async run(): Promise<Observation> {
    const client = await this.#daemon.connect();
    await work(client, this.#plugin, this.#place);
    const answer = await this.#commit(client);
    const death = await this.#death();
    const again = await until(() => this.#works(), backMs, lookEveryMs);
    if (!again) this.#problems.push('the plugin did not work again');
    if (death !== undefined && again) this.#judgeDeath(death, await this.#isolation());
    const told = death === undefined ? answer.message : deathWords(death);
    return {
      // Who asked sees the connection end, which is what it should see when the daemon dies.
      answer: death !== undefined && answer.kind === 'none' ? { ...answer, kind: 'crashed' } : answer,
      recovery: { ms: death?.backAfterMs ?? (again ? 0 : null), by: 'itself' },
      crashedLater: false,
      neighbour: null,
      problems: this.#problems,
      left: null,
      unkillable: this.#goesOn ? 1 : 0,
      death: this.#daemon.dead ?? null,
      cause: told,
      peakMb: this.#daemon.peakMb,
      byGuardian: death !== undefined,
    };
  }

  async #commit(client: Client): Promise<Answer> {
    const { outside } = this.#fault;
    const deadlineMs = deadlineOf(this.#fault, this.#place.subject);
    const pending = answerTo(() => commit(client, this.#fault, this.#place, deadlineMs + beginsMs), deadlineMs);
    if (outside !== undefined) {
      if (!(await until(() => isBusy(client, this.#plugin, this.#place), beginsMs)))
        this.#problems.push('the kit could not make the plugin wait');
      process.kill((await client.call('daemon.status', {})).pid, outside);
    }
    return await pending;
  }

  /** Undefined where the daemon goes on living, with no thread left that could still end it. */
  async #death(): Promise<Death | undefined> {
    let death: Death | undefined;
    let busyMs = performance.now();
    const settled = await until(
      async () => {
        const status = await this.#ask((client) => client.call('daemon.status', {}));
        death = status?.guardian?.deaths.at(-1);
        if (death !== undefined) return death.backAfterMs !== undefined;
        if (status?.counts.unkillable !== 0) busyMs = performance.now();
        return performance.now() - busyMs > quietMs;
      },
      diesMs,
      lookEveryMs,
    );
    this.#goesOn = !settled && death === undefined;
    return death;
  }

  #judgeDeath({ signal, culprit, suspects }: Death, isolation: string | undefined): void {
    // A signal from outside names nobody, or the one who was executing, in a thread; nothing is to be expected of it.
    if (this.#fault.outside !== undefined || !sharesProcess(this.#place)) return;
    if (culprit !== this.#plugin)
      this.#problems.push(
        `the daemon died of ${signal ?? 'an exit'}, and not this plugin was named but ${culprit ?? (suspects.join(', ') || 'nobody')}`,
      );
    else if (isolation !== undefined && isolation !== 'process')
      this.#problems.push(`the plugin came back in a ${isolation}`);
  }

  /** Of a service; tools have none that could be asked. */
  async #isolation(): Promise<string | undefined> {
    if (this.#place.subject === 'tool') return undefined;
    return (await this.#ask((client) => client.call('service.status', { plugin: this.#plugin })))?.isolation;
  }

  async #works(): Promise<boolean> {
    return (
      (await this.#ask(async (client) => {
        await work(client, this.#plugin, this.#place);
        return true;
      })) === true
    );
  }

  /** Undefined where the daemon cannot answer now. */
  async #ask<Result>(ask: (client: Client) => Promise<Result>): Promise<Result | undefined> {
    try {
      const client = await this.#daemon.connect(beginsMs);
      try {
        return await ask(client);
      } finally {
        await client.close();
      }
    } catch (thrown) {
      if (thrown instanceof HostError) return undefined;
      throw thrown;
    }
  }
}

function deathWords({ signal, exitCode, culprit, where, backAfterMs }: Death): string {
  const by = culprit === undefined ? '' : `, by ${culprit}${where === undefined ? '' : ` in ${where}`}`;
  return `the daemon died of ${signal ?? `exit code ${String(exitCode)}`}${by}, and was back after ${String(backAfterMs)} ms`;
}

async function work(client: Client, plugin: string, { subject }: Place): Promise<void> {
  if (subject === 'tool') await client.call('tool.call', { plugin, tool: 'work', input: { n: 1 } });
  else await client.call('ingress.deliver', { plugin, event: { ingress: 'kit', kind: 'work', payload: { n: 1 } } });
}

async function commit(client: Client, fault: Fault, { subject }: Place, timeoutMs: number): Promise<unknown> {
  const plugin = pluginIdOf(fault);
  if (subject === 'tool')
    return (await client.call('tool.call', { plugin, tool: 'fault', input: { deed: fault.id } }, { timeoutMs })).output;
  return (
    await client.call(
      'ingress.deliver',
      { plugin, event: { ingress: 'kit', kind: 'fault', payload: { deed: fault.id } } },
      { timeoutMs },
    )
  ).output;
}

async function isBusy(client: Client, plugin: string, { subject }: Place): Promise<boolean> {
  if (subject === 'tool') return (await client.call('daemon.status', {})).counts.toolCallsPending > 0;
  return (await client.call('service.status', { plugin })).inFlight !== null;
}
