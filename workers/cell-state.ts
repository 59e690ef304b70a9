// `ctx.state` inside a cell: what the host has committed, and what events that were handled here have changed since.
// Values are kept as JSON text, so that nothing a plugin does to a value that it was given changes the state.
import { HostError } from '../protocol/errors.ts';
import { type StateChanges, mostStateKeyBytes, mostStateKeys, partitionPrefix } from '../protocol/cell/effects.ts';
import { captured, parseJson, stringifyJson } from './primitives.ts';
import type { PluginState } from './sdk/index.ts';

export class CellState {
  readonly maxBytes: number;
  #values = new Map<string, string>();
  #bytes = 0;
  /** Each with what of this it holds, once its first event has come. */
  readonly #partitions = new Map<number, CellState>();

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#values.size;
  }

  text(key: string): string | undefined {
    return this.#values.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#values.keys();
  }

  /** What belongs to one partition of a service that the members of a cluster share. */
  of(partition: number): CellState {
    const known = this.#partitions.get(partition);
    if (known !== undefined) return known;
    const made = new CellState(this.maxBytes);
    const prefix = partitionPrefix(partition);
    for (const [key, json] of this.#values)
      if (key.startsWith(prefix)) {
        made.put(key.slice(prefix.length), json);
        this.put(key, null);
      }
    this.#partitions.set(partition, made);
    return made;
  }

  /** The whole of it, as the host has it: one JSON object. */
  replace(json: string | undefined): void {
    this.#partitions.clear();
    this.#values = new Map();
    this.#bytes = 0;
    if (json === undefined) return;
    // The host made this text.
    for (const [key, value] of Object.entries(parseJson(json) as Record<string, unknown>))
      this.put(key, stringifyJson(value) ?? null);
  }

  put(key: string, json: string | null): void {
    this.#bytes += entryBytes(key, json) - entryBytes(key, this.#values.get(key));
    if (json === null) this.#values.delete(key);
    else this.#values.set(key, json);
  }
}

/** Bytes that an entry counts for: its key and its value as JSON. */
const entryBytes = (key: string, json: string | null | undefined): number =>
  json === undefined || json === null ? 0 : captured.byteLength(key) + captured.byteLength(json);

const readOnly =
  'ctx.state can be written only by the ctx of an event, while that is handled, and by start(ctx) until it returns';

/** What one event, or the start, has changed; it is kept or forgotten as a whole. */
export class StateDraft {
  readonly #state: CellState;
  readonly #changes = new Map<string, string | null>();
  #bytes = 0;
  #keys = 0;
  #open = true;

  constructor(state: CellState) {
    this.#state = state;
  }

  /** For reading alone. */
  static closed(state: CellState): StateDraft {
    const draft = new StateDraft(state);
    draft.#open = false;
    return draft;
  }

  /** Undefined where nothing was changed. */
  get changes(): StateChanges | undefined {
    return this.#changes.size === 0 ? undefined : [...this.#changes].flat();
  }

  /** From here on it only reads. What was changed is kept, for those that come afterwards, or forgotten. */
  close(keep: boolean): void {
    this.#open = false;
    if (keep) for (const [key, json] of this.#changes) this.#state.put(key, json);
    this.#changes.clear();
  }

  text(key: string): string | undefined {
    const changed = this.#changes.get(key);
    return changed === undefined ? this.#state.text(key) : (changed ?? undefined);
  }

  keys(): string[] {
    const keys = new Set(this.#state.keys());
    for (const [key, json] of this.#changes) {
      if (json === null) keys.delete(key);
      else keys.add(key);
    }
    return [...keys].sort();
  }

  change(key: string, json: string | null): void {
    if (!this.#open) throw new Error(readOnly);
    const before = this.text(key);
    const addedBytes = entryBytes(key, json) - entryBytes(key, before);
    const addedKeys = (json === null ? 0 : 1) - (before === undefined ? 0 : 1);
    const bytes = this.#state.bytes + this.#bytes + addedBytes;
    // What is over a bound that was lowered meanwhile can still be made smaller.
    if (addedBytes > 0 && bytes > this.#state.maxBytes)
      throw new HostError(
        'state_too_large',
        `ctx.state would have ${String(bytes)} bytes with ${JSON.stringify(key)}; limits.stateBytes allows ${String(this.#state.maxBytes)}.`,
        { key, bytes, limit: 'limits.stateBytes', maximum: this.#state.maxBytes },
      );
    if (addedKeys > 0 && this.#state.size + this.#keys + addedKeys > mostStateKeys)
      throw new HostError('state_too_large', `ctx.state holds at most ${String(mostStateKeys)} keys.`, {
        key,
        maximum: mostStateKeys,
      });
    this.#bytes += addedBytes;
    this.#keys += addedKeys;
    this.#changes.set(key, json);
  }
}

/** What a plugin holds as `ctx.state`. */
export class StateView implements PluginState {
  readonly #draft: () => StateDraft;

  constructor(draft: () => StateDraft) {
    this.#draft = draft;
  }

  get(key: string): unknown {
    const json = this.#draft().text(checkedKey(key));
    return json === undefined ? undefined : parseJson(json);
  }

  set(key: string, value: unknown): void {
    this.#draft().change(checkedKey(key), jsonOf(key, value));
  }

  delete(key: string): boolean {
    const draft = this.#draft();
    const there = draft.text(checkedKey(key)) !== undefined;
    draft.change(key, null);
    return there;
  }

  keys(): string[] {
    return this.#draft().keys();
  }
}

function checkedKey(key: string): string {
  if (
    typeof key !== 'string' ||
    key === '' ||
    captured.byteLength(key) > mostStateKeyBytes ||
    /\p{Surrogate}/u.test(key)
  )
    throw new TypeError(`a key of ctx.state must be a text of 1 to ${String(mostStateKeyBytes)} bytes`);
  return key;
}

function jsonOf(key: string, value: unknown): string {
  if (value === undefined)
    throw new TypeError(`ctx.state.set(${JSON.stringify(key)}, undefined): write ctx.state.delete to remove a key`);
  const json = stringifyJson(value);
  if (json === undefined)
    throw new TypeError(`ctx.state.set(${JSON.stringify(key)}, …): the value is not JSON: it is a ${typeof value}`);
  return json;
}
