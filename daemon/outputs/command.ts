// A command: what a handled event sends to one output of its service. It is kept as JSON whose body is a text, so that
// nobody here takes apart what a plugin has made.
import type { SentCommand } from '../../protocol/cell/effects.ts';
import type { ErrorCode } from '../../protocol/errors.ts';

export interface Command extends SentCommand {
  /** `<eventId>/<n>`: the same at each delivery of its event, and at each attempt to deliver it. */
  readonly id: string;
  /** Its number among the commands of the plugin: they are kept and sent in this order. */
  readonly place: number;
  readonly eventId: string;
  readonly correlationId: string;
  /** How many events led to it by outputs, one after the other. */
  readonly hops: number;
  /** Its time to live begins here. */
  readonly createdMs: number;
  /** It outlives the daemon. */
  readonly kept: boolean;
}

export interface CommandFault {
  readonly code: ErrorCode;
  readonly message: string;
}

export type DeathReason = 'refused' | 'expired';

/** A command that could not be delivered. */
export interface DeadCommand extends Command {
  readonly reason: DeathReason;
  readonly deadMs: number;
  readonly attempts: number;
  readonly error: CommandFault;
}

/** What came of one attempt to deliver a command. */
export type Delivery =
  | { readonly is: 'sent' }
  /** Another attempt may succeed; not before `afterMs`, if the receiver says so. */
  | { readonly is: 'retry'; readonly error: CommandFault; readonly afterMs?: number | undefined }
  | { readonly is: 'refused'; readonly error: CommandFault };

/** Delivers the commands of one output. Never rejects. */
export interface Driver {
  send(command: Command, signal: AbortSignal): Promise<Delivery>;
}

export const sent: Delivery = { is: 'sent' };
