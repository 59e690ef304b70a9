// ctx.state of a service of which one instance lives in the cluster: what its events change is one record in the
// cluster's KV, with the events that changed it. Changes of one moment are one write, and one write is on its way at a
// time.
import type { FromCluster, PlacedState as StoredState, ToCluster } from '../../protocol/cluster/messages.ts';
import { HostError } from '../../protocol/errors.ts';
import { type Change, placedStateTable } from '../../protocol/store/change.ts';

/** More than an instance may have in flight, so that none is forgotten whose acknowledgement may be missing. */
const rememberedSequences = 1024;

interface Waiting {
  resolve(): void;
  reject(error: HostError): void;
}

export interface PlacedStateDeps {
  readonly plugin: string;
  post(message: ToCluster): void;
  /** Undefined where this member has no lease in force. */
  fence(): number | undefined;
  /** What is here is not what is stored: the next lease begins with what is. */
  broken(why: string): void;
}

let lastId = 0;

export class PlacedState {
  readonly #deps: PlacedStateDeps;
  readonly #values = new Map<string, string>();
  #handled: number[] = [];
  readonly #skipped = new Set<number>();
  /** Events take effect in the order in which they were handled. */
  #applied: Promise<void> = Promise.resolve();
  #tenure = 0;
  #waiting: Waiting[] = [];
  /** Events of which it is not decided yet whether their changes are stored. */
  readonly #undecided = new Set<Promise<unknown>>();
  #sent: { readonly id: number; readonly waiting: readonly Waiting[] } | undefined;

  constructor(deps: PlacedStateDeps) {
    this.#deps = deps;
  }

  /** Of a new lease. Returns the values. */
  adopt({ values, handled }: StoredState): StoredState['values'] {
    this.lost('another lease began');
    this.#tenure += 1;
    this.#applied = Promise.resolve();
    this.#values.clear();
    for (const [key, json] of values) this.#values.set(key, json);
    this.#handled = [...handled];
    this.#skipped.clear();
    for (const sequence of handled) this.#skipped.add(sequence);
    return values;
  }

  get values(): ReadonlyMap<string, string> {
    return this.#values;
  }

  /** Its changes are stored: it needs only to be acknowledged. */
  wasHandled(sequence: number): boolean {
    return this.#skipped.has(sequence);
  }

  /** Resolves when of each event so far it is decided whether its changes are stored. Never rejects. */
  async settled(): Promise<void> {
    while (this.#undecided.size > 0) await Promise.allSettled(this.#undecided);
  }

  /** Resolves when the cluster has the changes, and the event under this number as handled. */
  commit(
    changes: readonly Change[],
    sequence: number | undefined,
    others: (changes: readonly Change[]) => Promise<void>,
  ): Promise<void> {
    const decided = this.#commit(changes, sequence, others);
    this.#undecided.add(decided);
    const forget = (): void => void this.#undecided.delete(decided);
    decided.then(forget, forget);
    return decided;
  }

  async #commit(
    changes: readonly Change[],
    sequence: number | undefined,
    others: (changes: readonly Change[]) => Promise<void>,
  ): Promise<void> {
    const elsewhere = changes.filter(({ table }) => table !== placedStateTable);
    // Commands first: what was lost in between is sent twice under the same id, and not never. Until they are stored,
    // no write may hold the event as handled, neither its own nor that of another event.
    const stored = elsewhere.length === 0 ? Promise.resolve() : others(elsewhere);
    const tenure = this.#tenure;
    const applied = Promise.all([this.#applied, stored]).then(() => {
      if (tenure !== this.#tenure) throw notStored('the lease is over');
      for (const change of changes) if (change.table === placedStateTable) this.#apply(change);
      if (sequence !== undefined) this.#handled = [...this.#handled, sequence].slice(-rememberedSequences);
    });
    this.#applied = applied;
    try {
      await applied;
      await this.#write();
    } catch (thrown) {
      this.#deps.broken(thrown instanceof Error ? thrown.message : String(thrown));
      throw thrown;
    }
  }

  committed({ id, refusal }: Extract<FromCluster, { type: 'committed' }>): void {
    if (this.#sent?.id !== id) return;
    const { waiting } = this.#sent;
    this.#sent = undefined;
    for (const { resolve, reject } of waiting)
      if (refusal === null) resolve();
      else reject(notStored(refusal));
    this.#send();
  }

  lost(why: string): void {
    const waiting = [...(this.#sent?.waiting ?? []), ...this.#waiting];
    this.#sent = undefined;
    this.#waiting = [];
    for (const { reject } of waiting) reject(notStored(why));
  }

  #apply(change: Change): void {
    if (change.op === 'put') this.#values.set(keyOf(change.key), textOf(change.value));
    else if (change.op === 'remove') this.#values.delete(keyOf(change.key));
  }

  #write(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#send();
    });
  }

  #send(): void {
    if (this.#sent !== undefined || this.#waiting.length === 0) return;
    const fence = this.#deps.fence();
    if (fence === undefined) return this.lost('the lease is over');
    const waiting = this.#waiting;
    this.#waiting = [];
    lastId += 1;
    this.#sent = { id: lastId, waiting };
    const values = `{${[...this.#values].map(([key, json]) => `${JSON.stringify(key)}:${json}`).join(',')}}`;
    const { plugin } = this.#deps;
    this.#deps.post({ type: 'commit', id: lastId, plugin, fence, handled: this.#handled, values });
  }
}

const notStored = (why: string): HostError =>
  new HostError('cluster_unavailable', `What the event had changed could not be stored in the cluster: ${why}.`);

/** As the store writes a key of one part. */
const keyOf = (key: string): string => decodeURIComponent(key);
const textOf = (value: string | Uint8Array): string =>
  typeof value === 'string' ? value : Buffer.from(value).toString();
