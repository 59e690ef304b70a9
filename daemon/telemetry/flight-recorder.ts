// When a service fails, what an engineer will ask for later goes into a file: few files, small ones, one a failing
// plugin and period, written beside everything else and never in its way.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { arch, platform, release } from 'node:os';
import { ownFolder, removeLeftovers, writeAtomically } from '../files/atomic-file.ts';
import type { Clock, Timer } from '../time/clock.ts';
import type { Limits } from '../config/schema.ts';
import { type BundleParts, bundleText } from './bundle.ts';
import { memory } from './event-loop.ts';

export interface FlightRecorderOptions {
  readonly folder: string;
  readonly limits: Limits;
  readonly clock: Clock;
  /** Of the daemon. */
  readonly version: string;
  onWritten(pluginId: string, path: string): void;
  /** Once when bundles cannot be written, and again only after one could. */
  onTrouble(error: Error): void;
}

export interface Recording {
  readonly pluginId: string;
  /** No second bundle of this plugin within it. */
  readonly periodMs: number;
  redact(json: string): string;
  /** Asked a moment after the failure, when its last words have come in. */
  collect(): BundleParts;
}

/** `20300101T120000000Z-example.greeter.json`: in the order of their names they are in the order of their making. */
export const bundleName = /^(?<at>\d{8}T\d{9}Z)-(?<plugin>[a-z0-9._-]{1,128})\.json$/;

const lastWordsMs = 100;
const leastPeriodMs = 1000;
/** Plugins that fail at once are not all recorded: the first tell why. */
const maxWaiting = 16;

export class FlightRecorder {
  readonly #options: FlightRecorderOptions;
  readonly #quietUntilMs = new Map<string, number>();
  readonly #waiting = new Map<Recording, Timer>();
  #writing: Promise<void> = Promise.resolve();
  /** Those whose turn to be written has not come. */
  #unwritten = 0;
  #troubled = false;
  #closed = false;
  #skipped = 0;

  constructor(options: FlightRecorderOptions) {
    this.#options = options;
  }

  /** Failures that got no bundle of their own. */
  get skipped(): number {
    return this.#skipped;
  }

  /** Returns at once, and never throws. */
  record(recording: Recording): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [pluginId, untilMs] of this.#quietUntilMs) if (untilMs <= nowMs) this.#quietUntilMs.delete(pluginId);
    if (
      this.#closed ||
      this.#quietUntilMs.has(recording.pluginId) ||
      this.#waiting.size + this.#unwritten >= maxWaiting
    ) {
      this.#skipped += 1;
      return;
    }
    this.#quietUntilMs.set(recording.pluginId, nowMs + Math.max(leastPeriodMs, recording.periodMs));
    this.#waiting.set(
      recording,
      this.#options.clock.after(lastWordsMs, () => this.#take(recording)),
    );
  }

  /** What is still to be written gets this long. */
  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    for (const recording of [...this.#waiting.keys()]) this.#take(recording);
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(deadlineMs, resolve);
      void this.#writing.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #take(recording: Recording): void {
    this.#waiting.get(recording)?.cancel();
    this.#waiting.delete(recording);
    this.#unwritten += 1;
    this.#writing = this.#writing.then(() => this.#write(recording)).finally(() => void (this.#unwritten -= 1));
  }

  /** Never rejects: a bundle that cannot be written is told and forgotten. */
  async #write(recording: Recording): Promise<void> {
    const { folder, limits } = this.#options;
    try {
      const parts = recording.collect();
      const name = `${parts.at.replaceAll(/[-:.]/g, '')}-${recording.pluginId}.json`;
      const text = bundleText(parts, this.#daemonFacts(), limits.bundleBytes, (json) => recording.redact(json));
      await writeAtomically(join(folder, name), [text]);
      await this.#forgetOldest(name);
      this.#troubled = false;
      this.#options.onWritten(recording.pluginId, join(folder, name));
    } catch (error) {
      if (this.#troubled) return;
      this.#troubled = true;
      this.#options.onTrouble(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** The one just written stays, whatever the clock has done to its name. */
  async #forgetOldest(newest: string): Promise<void> {
    const { folder, limits } = this.#options;
    ownFolder(folder);
    removeLeftovers(folder);
    const names = await readdir(folder);
    const older = names.filter((name) => bundleName.test(name) && name !== newest).sort();
    for (const name of older.slice(0, Math.max(0, older.length + 1 - limits.bundles)))
      await rm(join(folder, name), { force: true });
  }

  #daemonFacts(): Readonly<Record<string, unknown>> {
    const { version, limits } = this.#options;
    return {
      versions: { nagaya: version, node: process.versions.node, v8: process.versions.v8 },
      platform: { system: platform(), release: release(), arch: arch() },
      pid: process.pid,
      uptimeMs: Math.round(process.uptime() * 1000),
      memory: memory(),
      limits,
    };
  }
}
