// Services that fail whenever the daemon is started. One that has failed at three starts in a row is left out at the
// next, so that a machine that boots does not run into the same failure for ever; starting or reloading it brings it
// back. Restarts by the guardian do not count: they are not anybody's decision. The count outlives the daemon in a file
// of its own, because the store may be what fails.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { writeAtomically } from '../files/atomic-file.ts';
import type { Logger } from '../telemetry/daemon-log.ts';

/** At the next start it is left out. */
const most = 3;
const maxMessage = 500;
const maxBytes = 1024 * 1024;

const kept = z.object({
  plugins: z.record(
    z.string(),
    z.object({ starts: z.int().min(1), at: z.iso.datetime(), code: z.string(), message: z.string() }),
  ),
});
type Failures = z.output<typeof kept>['plugins'];

export interface LeftOut {
  readonly plugin: string;
  /** That it is, and how it comes back. */
  readonly message: string;
  /** With what the plugin itself said, for its log. */
  readonly inFull: string;
}

interface Options {
  readonly stateFolder: string;
  readonly log: Logger;
  /** False where the guardian has started this daemon in place of one that died. */
  readonly counts: boolean;
  readonly nowMs: () => number;
}

export class StartFailures {
  readonly #options: Options;
  readonly #path: string;
  #failures: Failures;
  readonly #leftOut = new Map<string, LeftOut>();
  #written: Promise<void> = Promise.resolve();

  constructor(options: Options) {
    this.#options = options;
    this.#path = join(options.stateFolder, 'start-failures.json');
    this.#failures = read(this.#path);
  }

  /** Those that are not started by this daemon. */
  get leftOut(): readonly LeftOut[] {
    return [...this.#leftOut.values()];
  }

  /** Asked before a service is started with the daemon. */
  leaveOut(plugin: string): LeftOut | undefined {
    const failure = this.#failures[plugin];
    if (failure === undefined || failure.starts < most) return undefined;
    const what = `The service of ${plugin} is left out, because it failed at the last ${String(failure.starts)} starts of the daemon`;
    const remedy = `Fix it and run \`nagaya reload ${plugin}\` and \`nagaya start ${plugin}\`; the next daemon then starts it again.`;
    const left = {
      plugin,
      message: `${what}. ${remedy}`,
      inFull: `${what} (${failure.code}: ${failure.message}). ${remedy}`,
    };
    this.#leftOut.set(plugin, left);
    return left;
  }

  /** It did not start with the daemon. */
  failed(plugin: string, code: string, message: string): void {
    if (!this.#options.counts) return;
    const starts = (this.#failures[plugin]?.starts ?? 0) + 1;
    const at = new Date(this.#options.nowMs()).toISOString();
    this.#failures = { ...this.#failures, [plugin]: { starts, at, code, message: message.slice(0, maxMessage) } };
    this.#write();
  }

  /** It runs, or somebody has asked for it: from here on its failures are counted again. */
  forget(plugin: string): void {
    this.#leftOut.delete(plugin);
    if (!Object.hasOwn(this.#failures, plugin)) return;
    const { [plugin]: _forgotten, ...others } = this.#failures;
    this.#failures = others;
    this.#write();
  }

  /** What was to be written is. */
  async close(): Promise<void> {
    await this.#written;
  }

  #write(): void {
    const text = JSON.stringify({ plugins: this.#failures });
    this.#written = this.#written
      .then(() => writeAtomically(this.#path, [text]))
      .catch((error: unknown) =>
        this.#options.log.warn(
          { err: error instanceof Error ? error.message : String(error) },
          'which services failed to start cannot be kept for the next daemon',
        ),
      );
  }
}

function read(path: string): Failures {
  try {
    const text = readFileSync(path, 'utf8');
    return text.length > maxBytes ? {} : kept.parse(JSON.parse(text)).plugins;
  } catch {
    // There is none, or it cannot be read: every service has its three starts.
    return {};
  }
}
