// A files source: looks through its folders again and again, and reports each file once it has settled. It polls,
// because that works on every file system and needs nothing of the kernel for each folder.
import type { EdgeSource } from '../../protocol/edge/messages.ts';
import type { FilesSource } from '../../protocol/sources.ts';
import type { DriverContext, SourceDriver } from './driver.ts';
import { identifier } from './identifier.ts';
import { OrderedEvents } from './ordered-events.ts';
import { ReportedFiles, markOf } from './reported-files.ts';
import { type FolderFault, type FoundFile, type OpenFolder, filesIn, openFolder } from './watched-folder.ts';

const [leastLookMs, mostLookMs] = [50, 1000];
/** Of the time, at most this part is spent on looking. */
const looksShare = 20;
const mostWaiting = 64;

interface Candidate {
  readonly mark: string;
  readonly sinceMs: number;
}

export class FilesDriver implements SourceDriver {
  readonly #context: DriverContext;
  readonly #declaration: FilesSource;
  readonly #events: OrderedEvents;
  #source: EdgeSource;
  #reported: ReportedFiles | undefined;
  /** Files that are not known yet, with how they looked and since when. */
  #candidates = new Map<string, Candidate>();
  /** On their way to the service. */
  readonly #sending = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  #isClosed = false;

  constructor(context: DriverContext) {
    this.#context = context;
    this.#source = context.source;
    // The driver is made for sources of this type alone.
    this.#declaration = context.source.declaration as FilesSource;
    this.#events = new OrderedEvents(context, () => undefined);
    this.#follow();
    void this.#recall();
  }

  changed(source: EdgeSource): void {
    this.#source = source;
    this.#events.hurry();
    this.#follow();
  }

  reread(): void {
    // It needs no credential.
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#events.close();
  }

  get #isWanted(): boolean {
    return !this.#isClosed && !this.#source.paused && this.#source.accepting;
  }

  async #recall(): Promise<void> {
    const { context, most } = { context: this.#context, most: this.#declaration.maxFiles };
    const entries = await context.recall();
    if (this.#isClosed) return;
    // Files of other folders, which were declared before, count too.
    this.#reported = new ReportedFiles(2 * most, entries, (changes) => context.remember(changes));
    this.#follow();
  }

  #follow(): void {
    if (!this.#isWanted) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      if (!this.#isClosed) this.#context.state('paused');
    } else if (this.#timer === undefined && !this.#isLooking && this.#reported !== undefined) void this.#look();
  }

  async #look(): Promise<void> {
    const reported = this.#reported;
    if (reported === undefined) return;
    this.#timer = undefined;
    this.#isLooking = true;
    const beganMs = performance.now();
    try {
      await this.#lookThrough(reported);
    } catch (thrown) {
      const code = (thrown as NodeJS.ErrnoException).code ?? 'unknown';
      if (this.#isWanted)
        this.#context.state('retrying', { code: 'folder_unreadable', message: `A folder cannot be read (${code}).` });
    }
    this.#isLooking = false;
    if (!this.#isWanted) return;
    const wantedMs = Math.min(mostLookMs, Math.max(leastLookMs, this.#declaration.settleMs / 2));
    const tookMs = performance.now() - beganMs;
    this.#timer = setTimeout(() => void this.#look(), Math.max(wantedMs, tookMs * looksShare));
  }

  async #lookThrough(reported: ReportedFiles): Promise<void> {
    const { paths, maxFiles } = this.#declaration;
    const candidates = new Map<string, Candidate>();
    const faults: FolderFault[] = [];
    let left = maxFiles;
    for (const declared of paths) {
      const folder = openFolder(declared, { home: this.#source.folder, readable: this.#source.readable });
      if ('kind' in folder) {
        faults.push(folder);
        continue;
      }
      const present = new Set<string>();
      for await (const file of filesIn(folder)) {
        if (!this.#isWanted) return;
        if (left === 0) break;
        left -= 1;
        present.add(file.path);
        this.#met(file, folder, reported, candidates);
      }
      if (left > 0) reported.keepOnly(present, folder.identity);
    }
    this.#candidates = candidates;
    this.#show(faults, left === 0);
  }

  #met(file: FoundFile, folder: OpenFolder, reported: ReportedFiles, candidates: Map<string, Candidate>): void {
    if (reported.has(file, folder.identity) || this.#sending.has(file.path)) return;
    const nowMs = performance.now();
    const mark = markOf(file);
    const before = this.#candidates.get(file.path);
    const candidate = before?.mark === mark ? before : { mark, sinceMs: nowMs };
    candidates.set(file.path, candidate);
    if (nowMs - candidate.sinceMs < this.#declaration.settleMs || this.#events.waiting >= mostWaiting) return;
    candidates.delete(file.path);
    this.#send(file, folder, reported);
  }

  #send(file: FoundFile, folder: OpenFolder, reported: ReportedFiles): void {
    const { path, bytes, modifiedMs } = file;
    this.#context.count('received');
    this.#sending.add(path);
    const modifiedAt = new Date(modifiedMs).toISOString();
    this.#events.add(
      {
        kind: this.#declaration.kind,
        source: this.#source.name,
        payload: JSON.stringify({ path, bytes, modifiedAt }),
        senderId: identifier(`${path} ${markOf(file)}`),
      },
      () => {
        this.#sending.delete(path);
        reported.add(file, folder.identity);
      },
    );
  }

  #show(faults: readonly FolderFault[], isFull: boolean): void {
    const [fault] = faults.filter(({ kind }) => kind === 'forbidden').concat(faults);
    if (fault?.kind === 'forbidden')
      this.#context.state('faulty', {
        code: 'folder_forbidden',
        message: `A folder is not watched: ${fault.message}.`,
      });
    else if (fault !== undefined)
      this.#context.state('retrying', {
        code: 'folder_unreadable',
        message: `A folder is not watched: ${fault.message}.`,
      });
    else if (isFull)
      this.#context.state('faulty', {
        code: 'too_many_files',
        message: `The folders hold ${String(this.#declaration.maxFiles)} files or more (maxFiles), and those beyond them are not looked at: move away what is done, or set maxFiles higher.`,
      });
    else this.#context.state('open');
  }
}
