// What one hosted server has listed, by its addresses and names alone: so that whoever reads a resource or gets a
// prompt need not have every server list everything first. It holds until the server says that the list changed,
// refuses what it has listed, or ends, because a server that was restarted is another object.

export type ListKind = 'resources' | 'resourceTemplates' | 'prompts';

interface KeptList {
  readonly keys: readonly string[];
  readonly index: ReadonlySet<string>;
  /** The server has given all of it. */
  readonly isWhole: boolean;
}

export interface AskedList {
  readonly keys: readonly string[];
  readonly isWhole: boolean;
}

/** Addresses that fit a template, and that the server has answered for. */
const maxAnswered = 1000;

export class KeptLists {
  readonly #kept = new Map<ListKind, KeptList>();
  /** How often a list has changed: what was asked for before that is not kept. */
  readonly #changes = new Map<ListKind, number>();
  readonly #asking = new Map<ListKind, Promise<unknown>>();
  readonly #answered = new Set<string>();

  /** What is known of a list, which may be a part of it. */
  keysOf(kind: ListKind): readonly string[] {
    return this.#kept.get(kind)?.keys ?? [];
  }

  isWhole(kind: ListKind): boolean {
    return this.#kept.get(kind)?.isWhole === true;
  }

  holds(kind: ListKind, key: string): boolean {
    return this.#kept.get(kind)?.index.has(key) === true;
  }

  /** Whether the server is known to have a resource, listed or not. */
  hasResource(uri: string): boolean {
    return this.holds('resources', uri) || this.#answered.has(uri);
  }

  hasAnswered(uri: string): void {
    if (this.holds('resources', uri)) return;
    // The one that was asked for longest ago makes room.
    this.#answered.delete(uri);
    const [oldest] = this.#answered;
    if (oldest !== undefined && this.#answered.size >= maxAnswered) this.#answered.delete(oldest);
    this.#answered.add(uri);
  }

  forget(kind: ListKind): void {
    this.#kept.delete(kind);
    this.#asking.delete(kind);
    this.#changes.set(kind, this.changesOf(kind) + 1);
    if (kind === 'resources') this.#answered.clear();
  }

  changesOf(kind: ListKind): number {
    return this.#changes.get(kind) ?? 0;
  }

  /** `changes`: as they were when the list was asked for. */
  keep(kind: ListKind, { keys, isWhole }: AskedList, changes: number): void {
    const isOld = changes !== this.changesOf(kind);
    if (isOld && this.isWhole(kind)) return;
    this.#kept.set(kind, { keys, index: new Set(keys), isWhole: isWhole && !isOld });
  }

  /** Many who need the same list at once have it asked for once. */
  async askOnce(kind: ListKind, ask: () => Promise<unknown>): Promise<void> {
    const asking = this.#asking.get(kind);
    if (asking !== undefined) {
      await asking;
      return;
    }
    const asked = ask();
    this.#asking.set(kind, asked);
    try {
      await asked;
    } finally {
      if (this.#asking.get(kind) === asked) this.#asking.delete(kind);
    }
  }
}
