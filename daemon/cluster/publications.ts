// Events on their way into streams: those of one turn go to the thread together, each is answered once the server has
// it, and no more wait than the configuration allows.
import type { Publication, PublishAnswer, ToCluster } from '../../protocol/cluster/messages.ts';
import { Gathered } from '../../protocol/gathered.ts';
import { HostError } from '../../protocol/errors.ts';

export type Published = (outcome: { readonly duplicate: boolean } | HostError) => void;

export class Publications {
  readonly #most: number;
  readonly #waiting = new Map<number, Published>();
  readonly #gathered: Gathered<Publication>;
  #last = 0;

  constructor(most: number, post: (message: ToCluster) => void) {
    this.#most = most;
    this.#gathered = new Gathered((events) => post({ type: 'publish', events }));
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
    this.#gathered.add({ id, ...event });
  }

  answered(answers: readonly (number | PublishAnswer)[]): void {
    for (const answer of answers) {
      const isNew = typeof answer === 'number';
      const id = isNew ? answer : answer.id;
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      waiting?.(isNew ? stored : outcomeOf(answer));
    }
  }

  lost(why: string): void {
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
}

const stored = { duplicate: false } as const;
const outcomeOf = (answer: PublishAnswer): { readonly duplicate: boolean } | HostError =>
  answer.ok ? answer : new HostError(answer.code, answer.message, details(answer));

const fullMs = 250;
const details = ({ code }: { readonly code: string }): Record<string, unknown> =>
  code === 'queue_full' ? { retryAfterMs: fullMs } : {};
