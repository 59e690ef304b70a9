// A neighbour's caller: asks every 20 ms and notes how long it went without an answer, and whether an answer showed
// anything of somebody else's fault.
import { isDeepStrictEqual } from 'node:util';
import type { Client } from '../../protocol/client/client.ts';
import { HostError } from '../../protocol/errors.ts';
import { neighbourId } from './plugin-folder.ts';
import type { Observation } from './observation.ts';

const everyMs = 20;

export class NeighbourWatch {
  readonly #client: Client;
  readonly #timer: NodeJS.Timeout;
  #lastMs = performance.now();
  #longestGapMs = 0;
  #answers = 0;
  #sent = 0;
  #first: unknown;
  #wrong: string | null = null;
  #timing = true;
  #ended = false;

  constructor(client: Client) {
    this.#client = client;
    this.#timer = setInterval(() => void this.#ask(), everyMs);
  }

  /**
   * From here on the machine is busy with the kit's own probing: answers must still be right, but gaps are not the
   * fault's.
   */
  enough(): void {
    // Silence up to now is a gap too.
    this.#longestGapMs = this.#gapMs();
    this.#timing = false;
  }

  end(): NonNullable<Observation['neighbour']> {
    this.#ended = true;
    clearInterval(this.#timer);
    return { longestGapMs: this.#gapMs(), answers: this.#answers, wrong: this.#wrong };
  }

  #gapMs(): number {
    return this.#timing ? Math.max(this.#longestGapMs, performance.now() - this.#lastMs) : this.#longestGapMs;
  }

  async #ask(): Promise<void> {
    this.#sent += 1;
    const n = this.#sent;
    try {
      const { output } = await this.#client.call('ingress.deliver', {
        plugin: neighbourId,
        event: { ingress: 'kit', kind: 'work', payload: { n } },
      });
      this.#answered(n, output);
    } catch (thrown) {
      // A daemon that has died shows elsewhere; here it is the longest gap there is.
      if (thrown instanceof HostError && thrown.code !== 'connection_closed') this.#wrong ??= thrown.message;
    }
  }

  #answered(n: number, output: unknown): void {
    if (this.#ended) return;
    this.#longestGapMs = this.#gapMs();
    this.#lastMs = performance.now();
    this.#answers += 1;
    // Beside the number, every answer is as the first one was.
    const seen = { ...(output as Record<string, unknown>), n: 0 };
    this.#first ??= seen;
    const right = (output as { n?: unknown } | null)?.n === n && isDeepStrictEqual(seen, this.#first);
    if (!right) this.#wrong ??= `the neighbour answered ${JSON.stringify(output).slice(0, 200)}`;
  }
}
