// What clustered services keep in ctx.state: one record a service, in a bucket of JetStream's KV, written with the
// fencing number and only over what was read last. A member without the lease cannot change it, whatever it believes.
import type { KV } from '@nats-io/kv';
import { type FromCluster, type PlacedState, type ToCluster, tokenOf } from '../../protocol/cluster/messages.ts';
import { isOutdated, parsed } from './board.ts';

interface StateRecord {
  readonly fence: number;
  /** Counts the changes under one fencing number. */
  readonly commit: number;
  readonly handled: readonly number[];
  readonly values: Readonly<Record<string, unknown>>;
}

interface Open {
  readonly fence: number;
  revision: number;
  commit: number;
}

type Commit = Extract<ToCluster, { type: 'commit' }>;
type Committed = Extract<FromCluster, { type: 'committed' }>;

const retryMs = 100;

export class StateRecords {
  readonly #requestMs: number;
  readonly #holds: (plugin: string, fence: number) => boolean;
  readonly #open = new Map<string, Open>();
  #bucket: KV | undefined;

  constructor(requestMs: number, holds: (plugin: string, fence: number) => boolean) {
    this.#requestMs = requestMs;
    this.#holds = holds;
  }

  up(bucket: KV): void {
    this.#bucket = bucket;
  }

  down(): void {
    this.#bucket = undefined;
  }

  /** Writes the fencing number into the record: from then on, who had a lesser one is refused by the server. */
  async open(plugin: string, fence: number): Promise<Omit<PlacedState, 'records'>> {
    const bucket = this.#bucket;
    if (bucket === undefined) throw new Error('the NATS server is away');
    const key = tokenOf(plugin);
    const entry = await bucket.get(key);
    const found = entry?.operation === 'PUT' ? recordIn(entry.value) : undefined;
    if ((found?.fence ?? 0) > fence) throw new Error('a later instance is there');
    const { handled = [], values = {} } = found ?? {};
    const text = JSON.stringify({ fence, commit: 0, handled, values } satisfies StateRecord);
    const revision =
      entry?.operation === 'PUT' ? await bucket.update(key, text, entry.revision) : await bucket.create(key, text);
    this.#open.set(plugin, { fence, revision, commit: 0 });
    return { handled, values: Object.entries(values).map(([name, value]) => [name, JSON.stringify(value)] as const) };
  }

  close(plugin: string): void {
    this.#open.delete(plugin);
  }

  /** Answers when the server has it, or when it never will. */
  async commit({ plugin, fence, id, handled, values }: Commit): Promise<Committed> {
    const open = this.#open.get(plugin);
    if (open?.fence !== fence) return refused(id, 'the lease is over');
    open.commit += 1;
    const text = `{"fence":${String(fence)},"commit":${String(open.commit)},"handled":${JSON.stringify(handled)},"values":${values}}`;
    while (this.#holds(plugin, fence)) {
      try {
        if (this.#bucket === undefined) throw new Error('the NATS server is away');
        open.revision = await this.#bucket.update(tokenOf(plugin), text, open.revision, this.#requestMs);
        return { type: 'committed', id, refusal: null };
      } catch (thrown) {
        if (/max_payload|payload|message size/i.test(String(thrown)))
          return refused(id, 'it is larger than what the NATS server takes in one message (max_payload)');
        if (isOutdated(thrown)) {
          const outcome = await this.#compare(plugin, open);
          if (outcome === 'written') return { type: 'committed', id, refusal: null };
          if (outcome === 'overtaken') return refused(id, 'another instance has taken over');
        }
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
    return refused(id, 'the lease is over');
  }

  /** The record is not the one that was read last: an answer got lost, or another instance has written. */
  async #compare(plugin: string, open: Open): Promise<'written' | 'again' | 'overtaken'> {
    const entry = await this.#bucket?.get(tokenOf(plugin)).catch(() => undefined);
    if (entry === undefined) return 'again';
    const found = entry?.operation === 'PUT' ? recordIn(entry.value) : undefined;
    if (entry === null || found?.fence !== open.fence) return 'overtaken';
    open.revision = entry.revision;
    return found.commit === open.commit ? 'written' : 'again';
  }
}

const refused = (id: number, refusal: string): Committed => ({ type: 'committed', id, refusal });

/** What is no record of a member counts as none. */
function recordIn(bytes: Uint8Array): StateRecord | undefined {
  const { fence, commit, handled, values } = (parsed(bytes) ?? {}) as Partial<Record<keyof StateRecord, unknown>>;
  if (typeof fence !== 'number' || typeof commit !== 'number' || !Array.isArray(handled)) return undefined;
  if (typeof values !== 'object' || values === null) return undefined;
  return {
    fence,
    commit,
    handled: handled.filter((sequence): sequence is number => Number.isSafeInteger(sequence)),
    values: values as Record<string, unknown>,
  };
}
