// One source while it is declared: what its driver tells becomes the report that the host is sent, and events on their
// way to the host are bounded.
import type { ErrorCode } from '../../protocol/errors.ts';
import type {
  CommandAnswer,
  EdgeAnswer,
  EdgeSource,
  MemoryChange,
  MemoryEntry,
  SourceCounters,
  SourceFault,
  SourceReport,
  SourceState,
} from '../../protocol/edge/messages.ts';
import type { Credentials } from './credentials.ts';
import type { DriverContext, SourceDriver, SourceEvent } from './driver.ts';
import type { InFlight } from './in-flight.ts';

export interface SourceParts {
  readonly credentials: Credentials;
  readonly inFlight: InFlight;
  readonly eventBytes: number;
  readonly nesting: number;
  /** Its report is another. */
  changed(source: RunningSource): void;
  recall(key: string): Promise<readonly MemoryEntry[]>;
  remember(key: string, changes: readonly MemoryChange[]): void;
}

export class RunningSource implements DriverContext {
  source: EdgeSource;
  readonly credentials: Credentials;
  readonly eventBytes: number;
  readonly nesting: number;
  readonly #parts: SourceParts;
  readonly #counters: { -readonly [Name in keyof SourceCounters]: number } = {
    received: 0,
    accepted: 0,
    duplicates: 0,
    refused: 0,
    ignored: 0,
    reconnects: 0,
  };
  #state: SourceState = 'connecting';
  #sinceMs = Date.now();
  #lastEventMs: number | undefined;
  #lastError: SourceFault | undefined;
  #driver: SourceDriver | undefined;

  constructor(source: EdgeSource, parts: SourceParts) {
    this.source = source;
    this.#parts = parts;
    this.credentials = parts.credentials;
    this.eventBytes = parts.eventBytes;
    this.nesting = parts.nesting;
  }

  begin(make: (context: DriverContext) => SourceDriver): void {
    this.#driver = make(this);
  }

  update(source: EdgeSource): void {
    this.source = source;
    this.#driver?.changed(source);
  }

  reread(): void {
    this.#driver?.reread();
  }

  close(): void {
    this.#driver?.close();
  }

  /** Undefined where it has no peer. */
  command(text: string): Promise<CommandAnswer> | undefined {
    return this.#driver?.send?.(text);
  }

  get full(): boolean {
    return this.#parts.inFlight.full;
  }

  whenRoom(run: () => void): () => void {
    return this.#parts.inFlight.whenRoom(run);
  }

  async send(event: SourceEvent, expected: readonly ErrorCode[] = []): Promise<EdgeAnswer> {
    const answer = await this.#parts.inFlight.send(this.source.key, event);
    if (answer.outcome === 'refused' && expected.includes(answer.code)) return answer;
    if (answer.outcome === 'refused') {
      this.count('refused');
      this.fault({ code: answer.code, message: answer.message });
    } else {
      this.#lastEventMs = Date.now();
      this.count(answer.outcome === 'accepted' && answer.duplicate ? 'duplicates' : 'accepted');
    }
    return answer;
  }

  state(state: SourceState, fault?: Omit<SourceFault, 'atMs'>): void {
    if (fault !== undefined && (state !== this.#state || fault.message !== this.#lastError?.message)) this.fault(fault);
    if (state === this.#state) return;
    this.#state = state;
    this.#sinceMs = Date.now();
    this.#parts.changed(this);
  }

  fault(fault: Omit<SourceFault, 'atMs'>): void {
    this.#lastError = { ...fault, atMs: Date.now() };
    this.#parts.changed(this);
  }

  count(what: keyof SourceCounters): void {
    this.#counters[what] += 1;
    this.#parts.changed(this);
  }

  recall(): Promise<readonly MemoryEntry[]> {
    return this.#parts.recall(this.source.key);
  }

  remember(changes: readonly MemoryChange[]): void {
    this.#parts.remember(this.source.key, changes);
  }

  report(): SourceReport {
    return {
      key: this.source.key,
      state: this.#state,
      sinceMs: this.#sinceMs,
      lastEventMs: this.#lastEventMs,
      lastError: this.#lastError,
      counters: { ...this.#counters },
    };
  }
}
