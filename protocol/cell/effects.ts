// What an event does beside its outcome: it takes effect if and only if the event was handled. Kept free of zod,
// because every cell loads it.

/**
 * Keys of `ctx.state`, each with its new value as JSON text, or with null where it was deleted: one flat list, which is
 * cheap to send.
 */
export type StateChanges = readonly (string | null)[];

/** What an event sends to one of its service's outputs. */
export interface SentCommand {
  readonly output: string;
  /** JSON that a plugin has made, and that the host passes on. */
  readonly json: string;
  /** Commands of one key go out one after the other. */
  readonly key?: string;
  readonly path?: string;
  readonly topic?: string;
}

export interface EffectsOfEvent {
  readonly state?: StateChanges;
  readonly commands?: readonly SentCommand[];
}

export interface EventEffects extends EffectsOfEvent {
  readonly sequence: number;
}

/** Characters of a key, and of a path or topic. */
export const mostCommandKeyLength = 256;
export const mostCommandPathLength = 2048;

/** Bytes of a key in UTF-8. */
export const mostStateKeyBytes = 256;
/** What stands before the keys of a partition's state, in a service that the members of a cluster share. */
export const partitionPrefix = (partition: number): string => `${String(partition)}/`;
export const mostPrefixLength = 8;
export const mostStateKeys = 10_000;

/** What one event can change at most: every key there may be is deleted, and as many others are set. */
export const mostStateChanges = mostStateKeys * 4;

/** The changes one by one. */
export function* changesIn(changes: StateChanges): Generator<readonly [key: string, json: string | null], void> {
  for (let at = 0; at + 1 < changes.length; at += 2) {
    const key = changes[at];
    const json = changes[at + 1];
    if (typeof key === 'string' && json !== undefined) yield [key, json];
  }
}
