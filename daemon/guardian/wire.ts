// What the guardian and the daemon say to each other, over the IPC channel between parent and child, and the
// descriptors that the daemon finds open when it starts under a guardian.
import type { Death } from '../../protocol/operations/daemon.ts';
import type { RestartOptions } from '../services/restart-policy.ts';

/** The daemon is told by this variable that it has a guardian: the guardian's pid. */
export const guardianVariable = 'NAGAYA_GUARDIAN';

/**
 * Descriptor 2 of the daemon leads to the guardian, which keeps its end; this one is the standard error of the command.
 */
export const standardErrorDescriptor = 4;
/** The account of what would be lost (see account.ts): a file without a name that both have open. */
export const accountDescriptor = 5;
/** Where Node writes its report on a fatal error: a file without a name as well, for it holds the environment. */
export const reportDescriptor = 6;

/** A plugin that is to run in processes from now on, and why. */
export interface Escalated {
  readonly plugin: string;
  readonly why: string;
}

export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export type ListenerRequest =
  | { readonly kind: 'control'; readonly path: string }
  | { readonly kind: 'port'; readonly use: 'http' | 'webhooks'; readonly host: string; readonly port: number };

export type FromGuardian =
  | {
      readonly type: 'welcome';
      readonly version: string;
      readonly deaths: readonly Death[];
      readonly escalated: readonly Escalated[];
      /** How often the daemon is to tell that it is alive. */
      readonly beatMs?: number;
      /** The control socket is a service manager's, and stays where it is. */
      readonly keptByManager?: boolean;
    }
  /** The configuration is to be read again. */
  | { readonly type: 'reload' }
  /** To the daemon that came back: how long after the last death it listened. */
  | { readonly type: 'back'; readonly backAfterMs: number }
  /** Comes with the listener's handle. */
  | { readonly type: 'listener'; readonly id: number }
  | { readonly type: 'refused'; readonly id: number; readonly error: Refusal }
  /** The control socket's file was gone and has been made again; comes with the new handle. */
  | { readonly type: 'remade' };

export type FromDaemon =
  | { readonly type: 'listen'; readonly id: number; readonly request: ListenerRequest }
  | { readonly type: 'ready'; readonly restart: RestartOptions }
  /** The daemon ends because it was told to: no death, whatever its exit looks like. */
  | { readonly type: 'ending'; readonly reason: string }
  /** The event loop turns. */
  | { readonly type: 'beat' }
  /** The configuration was read again, or could not be. */
  | { readonly type: 'reloaded'; readonly error?: string }
  /** Nothing is accepted any more: the sockets can go. */
  | { readonly type: 'closed' }
  /** The plugin was loaded again: what was decided about it is void. */
  | { readonly type: 'forget'; readonly plugin: string };
