// Which files of a source were reported, over restarts of the daemon: the host keeps the list. A file is known by its
// path, its size and the time of its last change.
import { createHash } from 'node:crypto';
import type { MemoryChange, MemoryEntry } from '../../protocol/edge/messages.ts';
import type { FoundFile } from './watched-folder.ts';

interface Known {
  readonly mark: string;
  /** The folder it was last seen in, once it was seen since this thread began. */
  seenIn: string | undefined;
}

export const markOf = ({ bytes, modifiedMs }: FoundFile): string => `${String(bytes)} ${String(modifiedMs)}`;

/** Paths may be longer than keys of the store. */
const nameOf = (path: string): string => createHash('sha256').update(path).digest('hex');

export class ReportedFiles {
  readonly #most: number;
  readonly #remember: (changes: readonly MemoryChange[]) => void;
  readonly #known = new Map<string, Known>();
  #changes: MemoryChange[] = [];

  /** `remember` is told what has changed, once for each turn. */
  constructor(most: number, entries: readonly MemoryEntry[], remember: (changes: readonly MemoryChange[]) => void) {
    this.#most = most;
    this.#remember = remember;
    for (const [name, mark] of entries) this.#known.set(name, { mark, seenIn: undefined });
  }

  has(file: FoundFile, folder: string): boolean {
    const known = this.#known.get(nameOf(file.path));
    if (known === undefined) return false;
    known.seenIn = folder;
    return known.mark === markOf(file);
  }

  add(file: FoundFile, folder: string): void {
    const name = nameOf(file.path);
    this.#known.delete(name);
    this.#known.set(name, { mark: markOf(file), seenIn: folder });
    this.#change([name, markOf(file)]);
    const [oldest] = this.#known.keys();
    if (this.#known.size > this.#most && oldest !== undefined) this.#forget(oldest);
  }

  /**
   * Forgets what is gone from a folder that is still the one it was seen in. A folder that has gone as a whole may come
   * back with its files, as a share of the network does.
   */
  keepOnly(present: ReadonlySet<string>, folder: string): void {
    const names = new Set([...present].map(nameOf));
    for (const [name, { seenIn }] of this.#known) if (seenIn === folder && !names.has(name)) this.#forget(name);
  }

  #forget(name: string): void {
    this.#known.delete(name);
    this.#change([name, null]);
  }

  #change(change: MemoryChange): void {
    if (this.#changes.length === 0)
      queueMicrotask(() => {
        const changes = this.#changes;
        this.#changes = [];
        this.#remember(changes);
      });
    this.#changes.push(change);
  }
}
