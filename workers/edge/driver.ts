// What a type of source is to the edge: a driver that is made when a source is declared and closed when it ends. It
// tells what happens through its context and knows nothing of the host.
import type { ErrorCode } from '../../protocol/errors.ts';
import type {
  CommandAnswer,
  EdgeAnswer,
  EdgeEvent,
  EdgeSource,
  MemoryChange,
  MemoryEntry,
  SourceCounters,
  SourceFault,
  SourceState,
} from '../../protocol/edge/messages.ts';
import type { Credentials } from './credentials.ts';

export type SourceEvent = Pick<
  EdgeEvent,
  'kind' | 'source' | 'payload' | 'senderId' | 'correlationId' | 'orderKey' | 'outputMs' | 'patient'
>;

export interface DriverContext {
  readonly source: EdgeSource;
  readonly credentials: Credentials;
  readonly eventBytes: number;
  readonly nesting: number;
  /** As many events as may be on the way are on the way: nothing more is read now. */
  readonly full: boolean;
  /** Calls once when there is room again; answers how to stop that. */
  whenRoom(run: () => void): () => void;
  /** Resolves with what the host made of it. A refusal with one of the codes that the caller expects is not counted. */
  send(event: SourceEvent, expected?: readonly ErrorCode[]): Promise<EdgeAnswer>;
  state(state: SourceState, fault?: Omit<SourceFault, 'atMs'>): void;
  /** Something went wrong that does not change the state. */
  fault(fault: Omit<SourceFault, 'atMs'>): void;
  count(what: keyof SourceCounters): void;
  /** What was remembered, also by an earlier daemon. */
  recall(): Promise<readonly MemoryEntry[]>;
  remember(changes: readonly MemoryChange[]): void;
}

export interface SourceDriver {
  /** It was paused or resumed, or its service takes events or not: the declaration is the same. */
  changed(source: EdgeSource): void;
  /** Sends a command to its peer. Never rejects; absent where there is no peer. */
  send?(text: string): Promise<CommandAnswer>;
  /** Credentials are read again. */
  reread(): void;
  close(): void;
}

export type MakeDriver = (context: DriverContext) => SourceDriver;
