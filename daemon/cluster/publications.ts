// Events on their way into streams: those of one turn go to the thread together, each is answered once the server has
// it, and no more wait than the configuration allows.
import type { Publication, PublishAnswer, ToCluster } from '../../protocol/cluster/messages.ts';
import { HostError } from '../../protocol/errors.ts';

export type Published = (outcome: { readonly duplicate: boolean } | HostError) => void;

export class Publications {
  readonly #most: number;
  readonly #post: (message: ToCluster) => void;
  readonly #waiting = new Map<number, Published>();
  #gathered: Publication[] = [];
  #last = 0;

  constructor(most: number, post: (message: ToCluster) => void) {
    this.#most = most;
    this.#post = post;
  }

  publish(event: Omit<Publication, 'id'>, answered: Published): void {
    if (this.#waiting.size >= this.#most) {
      answered(
        new HostError('queue_full', `Already ${String(this.#most)} events wait for the NATS server.`, {
          limit: 'limits.clusterPending',
          maximum: this.#most,
          retryAfterMs: 100,
        }),
      );
      return;
    }
    const id = (this.#last += 1);
    this.#waiting.set(id, answered);
    if (this.#gathered.length === 0) setImmediate(() => this.#send());
    this.#gathered.push({ id, ...event });
  }

  answered(answers: readonly PublishAnswer[]): void {
    for (const answer of answers) {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      waiting?.(
        answer.ok ? { duplicate: answer.duplicate } : new HostError(answer.code, answer.message, details(answer)),
      );
    }
  }

  lost(why: string): void {
    this.#gathered = [];
    for (const [id, answered] of [...this.#waiting]) {
      this.#waiting.delete(id);
      answered(
        new HostError(
          'cluster_unavailable',
          `The thread of the cluster is gone: ${why}. Whether the event was taken is not known.`,
        ),
      );
    }
  }

  #send(): void {
    const events = this.#gathered;
    this.#gathered = [];
    if (events.length > 0) this.#post({ type: 'publish', events });
  }
}

const fullMs = 250;
const details = ({ code }: { readonly code: string }): Record<string, unknown> =>
  code === 'queue_full' ? { retryAfterMs: fullMs } : {};
