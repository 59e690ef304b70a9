// The last configuration that a daemon could start with, for `nagaya serve --last-good`: a broken file then does not
// keep the machine's daemon from coming up after a boot. Each daemon keeps the file that it has started
// with; one is used only where a daemon is asked to.
import { join } from 'node:path';
import { HostError } from '../../protocol/errors.ts';
import { issueText } from '../../protocol/errors.ts';
import { writeAtomically } from '../files/atomic-file.ts';
import { readBoundedText } from '../files/bounded-file.ts';
import type { LoadedConfig } from './load.ts';
import { type Config, config } from './schema.ts';

const maxBytes = 1024 * 1024;

export class LastGood {
  readonly #path: string;

  constructor(stateFolder: string) {
    this.#path = join(stateFolder, 'config.last-good.json');
  }

  /**
   * What is to be used in place of a configuration that was refused, with a sentence for the operator. Throws the
   * refusal where there is nothing else.
   */
  inPlaceOf(refusal: unknown): LoadedConfig & { readonly notice: string } {
    if (!(refusal instanceof HostError) || refusal.code !== 'config_invalid') throw refusal;
    const kept = this.#read();
    if (kept === undefined) throw refusal;
    const { issues } = refusal.details as { issues?: readonly { path: string; message: string }[] };
    const why = (issues ?? []).map(issueText).join('; ') || refusal.message;
    return {
      ...kept,
      notice: `The configuration${kept.path === null ? '' : ` ${kept.path}`} is broken (${why}): the daemon runs on the last good one, of ${kept.at}. Fix it and run \`nagaya reload-config\`, or restart the daemon.`,
    };
  }

  /** A state folder that takes nothing keeps no daemon from running. */
  async keep({ config: good, path }: LoadedConfig, nowMs: number): Promise<void> {
    try {
      await writeAtomically(this.#path, [JSON.stringify({ at: new Date(nowMs).toISOString(), path, config: good })]);
    } catch {
      // Told by the store and the lock, which need the folder more.
    }
  }

  #read(): (LoadedConfig & { readonly at: string }) | undefined {
    const file = readBoundedText(this.#path, { maxBytes });
    if (!file.ok) return undefined;
    try {
      const { at, path, config: good } = JSON.parse(file.text) as { at: string; path: string | null; config: Config };
      return { at, path, config: config.parse(good) };
    } catch {
      // It was written by another version, or damaged: there is no last good one.
      return undefined;
    }
  }
}
