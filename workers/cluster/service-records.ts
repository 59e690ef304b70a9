// What a service of which one instance lives keeps of single events in the cluster: its dead letters, its commands, and
// the attempts that failed. Each is an entry of one bucket of JetStream's KV, with the fencing number under which it
// was written. Whoever acquires the lease writes a mark first: what was written under a lesser number behind the mark
// came too late, and counts for nothing.
import type { KV } from '@nats-io/kv';
import type { JetStreamManager } from '@nats-io/jetstream';
import { type FromCluster, type StoredRecord, type ToCluster, tokenOf } from '../../protocol/cluster/messages.ts';
import type { Change } from '../../protocol/store/change.ts';
import { parsed } from './board.ts';

interface Open {
  readonly fence: number;
  /** By the key in the bucket, with the place of what it holds in the bucket's stream. */
  readonly places: Map<string, number>;
  /** Changes are made one commit after the other. */
  turn: Promise<void>;
}

interface Bucket {
  readonly kv: KV;
  readonly manager: JetStreamManager;
  readonly stream: string;
  /** Of one message. */
  readonly mostBytes: number;
}

interface Applying {
  readonly bucket: Bucket;
  readonly plugin: string;
  /** Keys that the same commit puts: a range that is removed is what was there before it. */
  readonly fresh: ReadonlySet<string>;
}

type Commit = Extract<ToCluster, { type: 'record' }>;
type Recorded = Extract<FromCluster, { type: 'recorded' }>;

const retryMs = 100;
const markTable = 'mark';

export class ServiceRecords {
  readonly #holds: (plugin: string, fence: number) => boolean;
  readonly #open = new Map<string, Open>();
  #bucket: Bucket | undefined;

  constructor(holds: (plugin: string, fence: number) => boolean) {
    this.#holds = holds;
  }

  up(bucket: Bucket): void {
    this.#bucket = bucket;
  }

  down(): void {
    this.#bucket = undefined;
  }

  /** What counts of what is there, in the order in which it was written. */
  async open(plugin: string, fence: number): Promise<StoredRecord[]> {
    const bucket = this.#bucket;
    if (bucket === undefined) throw new Error('the NATS server is away');
    const { kv } = bucket;
    const before = await kv.get(keyOf(plugin, markTable, ''));
    const mark = before?.operation === 'PUT' ? { fence: fenceIn(before.string()), place: before.revision } : firstMark;
    const place = await kv.put(keyOf(plugin, markTable, ''), textOf(fence, ''));
    const open: Open = { fence, places: new Map(), turn: Promise.resolve() };
    const found: StoredRecord[] = [];
    const late: number[] = [];
    for await (const entry of await kv.history({ key: `${tokenOf(plugin)}.>` })) {
      const [, table = '', coded = ''] = entry.key.split('.');
      if (entry.operation !== 'PUT' || table === markTable) continue;
      const text = entry.string();
      const written = fenceIn(text);
      const { revision } = entry;
      if (revision > place || (written < mark.fence && revision > mark.place)) {
        late.push(revision);
        continue;
      }
      open.places.set(entry.key, revision);
      found.push({ table, key: Buffer.from(coded, 'base64url').toString(), value: text.slice(text.indexOf('\n') + 1) });
    }
    // It was cut off while it read: it may not have all of it.
    if (this.#bucket !== bucket) throw new Error('the NATS server is away');
    for (const revision of late) await bucket.manager.streams.deleteMessage(bucket.stream, revision, false);
    this.#open.set(plugin, open);
    return found;
  }

  close(plugin: string): void {
    this.#open.delete(plugin);
  }

  /** Answers when the server has it, or when it never will. */
  commit(commit: Commit): Promise<Recorded> {
    const open = this.#open.get(commit.plugin);
    if (open?.fence !== commit.fence) return Promise.resolve(refused(commit.id, 'the lease is over'));
    const answer = open.turn.then(() => this.#commit(commit, open));
    open.turn = answer.then(() => undefined);
    return answer;
  }

  async #commit({ id, plugin, fence, changes }: Commit, open: Open): Promise<Recorded> {
    while (this.#holds(plugin, fence)) {
      try {
        const bucket = this.#bucket;
        if (bucket === undefined) throw new Error('the NATS server is away');
        // What is new comes before what it is in place of goes.
        const puts = changes.filter(({ op }) => op === 'put');
        const fresh = new Set(puts.map((change) => keyOf(plugin, change.table, change.op === 'put' ? change.key : '')));
        for (const part of [puts, changes.filter(({ op }) => op !== 'put')])
          await Promise.all(part.map((change) => this.#apply({ bucket, plugin, fresh }, open, change)));
        return { type: 'recorded', id, refusal: null };
      } catch (thrown) {
        if (/max_payload|payload|message size/i.test(String(thrown)))
          return refused(id, 'it is larger than what the NATS server takes in one message (max_payload)');
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
    return refused(id, 'the lease is over');
  }

  async #apply({ bucket, plugin, fresh }: Applying, open: Open, change: Change): Promise<void> {
    if (change.op === 'put') {
      const key = keyOf(plugin, change.table, change.key);
      const text = textOf(open.fence, decoded(change.value));
      const fits = Buffer.byteLength(text) <= bucket.mostBytes;
      const shorter = fits || change.table !== 'letters' ? text : textOf(open.fence, shortened(decoded(change.value)));
      open.places.set(key, await bucket.kv.put(key, shorter));
      return;
    }
    const inRange = (name: string): boolean =>
      change.op === 'remove' ? name === change.key : name >= change.from && name < change.to;
    const prefix = keyOf(plugin, change.table, '');
    for (const [key, place] of open.places)
      if (
        key.startsWith(prefix) &&
        !(change.op === 'removeRange' && fresh.has(key)) &&
        inRange(Buffer.from(key.slice(prefix.length), 'base64url').toString())
      ) {
        // A deletion by the KV's own means would leave an entry for ever.
        await bucket.manager.streams.deleteMessage(bucket.stream, place, false).catch(goneAlready);
        open.places.delete(key);
      }
  }
}

const firstMark = { fence: 0, place: 0 };

const keyOf = (plugin: string, table: string, key: string): string =>
  `${tokenOf(plugin)}.${table}.${table === markTable ? 'mark' : Buffer.from(key).toString('base64url')}`;
const textOf = (fence: number, value: string): string => `${JSON.stringify({ fence })}\n${value}`;
const decoded = (value: string | Uint8Array): string =>
  typeof value === 'string' ? value : Buffer.from(value).toString();

/** 0 for what is no member's. */
function fenceIn(text: string): number {
  const { fence } = (parsed(Buffer.from(text.slice(0, Math.max(0, text.indexOf('\n'))))) ?? {}) as { fence?: unknown };
  return typeof fence === 'number' && Number.isSafeInteger(fence) ? fence : 0;
}

const shownAttempts = 20;
const shownText = 500;

/** A dead letter without the stacks of its attempts: the room that is left for it behind its event is bounded. */
function shortened(json: string): string {
  const letter = JSON.parse(json) as { attempts?: { error?: { message?: unknown } }[] };
  const attempts = (letter.attempts ?? []).slice(-shownAttempts).map((attempt) => {
    const { stack: _stack, where: _where, ...error } = (attempt.error ?? {}) as Record<string, unknown>;
    return { ...attempt, error: { ...error, message: String(error['message']).slice(0, shownText) } };
  });
  return JSON.stringify({ ...letter, attempts });
}

const refused = (id: number, refusal: string): Recorded => ({ type: 'recorded', id, refusal });

/** The server's error where there is no message at that place. */
const noMessage = 10037;
function goneAlready(thrown: unknown): void {
  const isGone =
    typeof thrown === 'object' &&
    thrown !== null &&
    (('code' in thrown && (thrown.code === noMessage || thrown.code === 10043)) ||
      /no message found/i.test(thrown instanceof Error ? thrown.message : ''));
  if (!isGone) throw thrown;
}
