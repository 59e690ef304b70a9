// What the guardian knows of the daemons that died under it: how, by whose doing, and with what in their memory. And
// which plugins are to run in processes because of it.
import type { Death, Lost } from '../../protocol/operations/daemon.ts';
import { type AccountPage, accountBytes, readAccount } from '../files/loss-account-layout.ts';
import type { DaemonExit } from './daemon-process.ts';
import { type FatalReport, computingThreads, fatalReport, isDying, messageIn } from './last-words.ts';
import { NamelessFile } from './nameless-file.ts';
import { verdict } from './verdict.ts';
import type { Escalated } from './wire.ts';

const keptDeaths = 20;
const reportBytes = 1024 * 1024;
const toldPlugins = 100;

export class Deaths {
  readonly #account = new NamelessFile();
  readonly #report = new NamelessFile();
  readonly #escalated = new Map<string, string>();
  #deaths: Death[] = [];
  readonly #suspects = new Set<string>();
  #computing: readonly number[] | undefined;

  get accountDescriptor(): number {
    return this.#account.descriptor;
  }

  get reportDescriptor(): number {
    return this.#report.descriptor;
  }

  /** Oldest first. */
  get told(): readonly Death[] {
    return this.#deaths;
  }

  get escalated(): readonly Escalated[] {
    return [...this.#escalated].map(([plugin, why]) => ({ plugin, why }));
  }

  /** A daemon is about to start. */
  begin(): void {
    this.#account.clear();
    this.#report.clear();
    this.#computing = undefined;
  }

  /** The daemon has written this past its log; a process that is dying is looked at while it still writes. */
  heard(text: string, pid: number | undefined): void {
    if (this.#computing === undefined && pid !== undefined && isDying(text)) this.#computing = computingThreads(pid);
  }

  /** The plugin was loaded again. */
  forget(plugin: string): void {
    this.#escalated.delete(plugin);
    this.#suspects.delete(plugin);
  }

  add({ code, signal, stderr }: DaemonExit): Death {
    const account = readAccount(this.#account.read(accountBytes));
    const report: FatalReport = fatalReport(this.#report.read(reportBytes).toString('utf8'));
    const { culprit, suspects, escalate } = verdict({
      signal,
      account,
      reportedThread: report.thread,
      computing: this.#computing ?? [],
      earlierSuspects: this.#suspects,
    });
    const message = messageIn(stderr) ?? report.message;
    const death: Death = {
      at: new Date().toISOString(),
      signal,
      ...(code === null ? {} : { exitCode: code }),
      ...(culprit === undefined ? {} : { culprit }),
      ...(culprit === undefined || report.where === undefined ? {} : { where: report.where }),
      suspects: [...suspects],
      ...(message === undefined ? {} : { message }),
      lost: lostIn(account),
    };
    for (const suspect of suspects) this.#suspects.add(suspect);
    for (const plugin of escalate) this.#escalated.set(plugin, whyOf(death));
    this.#deaths = [...this.#deaths, death].slice(-keptDeaths);
    return death;
  }

  /** The daemon after the last death listens. */
  back(backAfterMs: number): void {
    const last = this.#deaths.at(-1);
    if (last !== undefined) this.#deaths = [...this.#deaths.slice(0, -1), { ...last, backAfterMs }];
  }
}

function whyOf({ signal, where, message }: Death): string {
  return `the daemon died of ${signal ?? 'an exit'}${where === undefined ? '' : ` in ${where}`}${message === undefined ? '' : ` (${message})`}`;
}

function lostIn({ plugins, loadedAtRunTime }: AccountPage): Lost {
  const byPlugin = plugins
    .map(({ plugin, counts: { events, executing, calls, inputs } }) => ({
      plugin,
      events,
      begun: Math.min(events, executing),
      calls,
      inputs,
    }))
    .filter(({ events, calls, inputs }) => events + calls + inputs > 0)
    .sort((one, other) => other.events + other.calls + other.inputs - (one.events + one.calls + one.inputs));
  const sum = (field: 'events' | 'begun' | 'calls' | 'inputs'): number =>
    byPlugin.reduce((total, row) => total + row[field], 0);
  return {
    events: sum('events'),
    begun: sum('begun'),
    calls: sum('calls'),
    inputs: sum('inputs'),
    plugins: loadedAtRunTime,
    byPlugin: byPlugin.slice(0, toldPlugins),
  };
}
