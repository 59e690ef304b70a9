// What the host gives a service. It stays the same for the service's whole life; the plugin's side, its plan, changes
// with a reload.
import type { SentCommand } from '../../protocol/cell/effects.ts';
import type { LogDroppedMessage, LogMessage } from '../../protocol/cell/messages.ts';
import type { Change } from '../../protocol/store/change.ts';
import type { DeadLetterWithEvent } from '../../protocol/dead-letter.ts';
import type { ServiceStatus } from '../../protocol/status.ts';
import type { EventIds, QueuedEvent } from '../dispatch/queued-event.ts';
import type { SpawnCell } from '../cells/cell.ts';
import type { Clock } from '../time/clock.ts';
import type { KeptState } from '../dispatch/kept-state.ts';
import type { Redact } from '../dispatch/plugin-error.ts';
import type { Outcome } from './books.ts';
import type { KeptQueue } from './durable/kept-queue.ts';
import type { JournalOutlets } from './journal.ts';
import type { KeptCode } from '../plugins/kept-code.ts';
import type { WakeTurns } from '../dispatch/wake-turns.ts';
import type { PlacedQueue } from './placed.ts';

/** Takes the commands that handled events send. */
export interface CommandSink {
  /** The commands go out once `commit` is called, after `changes` are in the store. */
  stage(
    event: EventIds & { readonly hops?: number | undefined },
    commands: readonly SentCommand[],
    kept: boolean,
  ): { readonly changes: Change[]; commit(): void };
  list(): ServiceStatus['outputs'];
}

export const noCommands: CommandSink = { stage: () => ({ changes: [], commit: () => {} }), list: () => [] };

export interface ServiceDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly spawnCell: SpawnCell;
  /** Shared by all services of the daemon. */
  readonly wakes: WakeTurns;
  readonly limits: {
    readonly eventBytes: number;
    readonly toolOutputBytes: number;
    readonly stateBytes: number;
    readonly commandsPerEvent: number;
    readonly commandBytes: number;
    readonly diagnostics: number;
    readonly eventTrail: number;
    readonly abortGraceMs: number;
    readonly killMs: number;
    readonly dedupeMs: number;
    readonly dedupeKeys: number;
  };
  readonly redact: Redact;
  readonly outlets: JournalOutlets;
  readonly deadLetters: {
    /** `gathered`: what changes in the store is returned, for a transaction of the caller's own. */
    add(letter: DeadLetterWithEvent, gathered?: boolean): readonly Change[];
    /** Resolves when what was added so far is kept; false where it is not. */
    written(): Promise<boolean>;
    replayEnded(letter: string, outcome: Outcome): void;
    readonly counts: ServiceStatus['deadLetters'];
  };
  /** The queue on disk; without one, published events are in memory alone. */
  readonly kept?: KeptQueue | undefined;
  /** In a cluster, of a service of which one instance lives: its events wait there. */
  readonly placed?: PlacedQueue | undefined;
  /** Into the store, whatever takes the events. */
  write?(changes: readonly Change[]): Promise<void>;
  /** One transaction of the store. */
  commit?(changes: readonly Change[], event?: QueuedEvent): Promise<void>;
  /** Absent where nothing can be sent. */
  readonly commands?: CommandSink;
  /** Absent where nothing comes from sources. */
  sources?(plugin: string): ServiceStatus['sources'];
  /** What `ctx.state` holds. */
  readonly state: KeptState;
  /** Keeps the code that runs, for a service that is reloaded after it has stopped. */
  readonly keptCode?: Pick<KeptCode, 'keep' | 'kept'>;
  readonly cellLog: {
    log(message: LogMessage, incarnation: number): void;
    logDropped(message: LogDroppedMessage, incarnation: number): void;
    counts(): ServiceStatus['log'];
  };
}
