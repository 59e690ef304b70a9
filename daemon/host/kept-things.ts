// What an earlier daemon kept of one plugin, read before anything of the plugin is made.
import { join } from 'node:path';
import type { Limits } from '../config/schema.ts';
import { KeptState } from '../dispatch/kept-state.ts';
import { DeadLetters } from '../services/dead-letters.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../time/clock.ts';

export interface KeptThings {
  readonly deadLetters: DeadLetters;
  readonly state: KeptState;
}

export interface KeptDeps {
  readonly stateFolder: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly limits: Limits;
}

export type StoreTrouble = [event: 'dead_letters_unsafe' | 'state_unsafe', message: string, error?: Error];

/** What is found wrong meanwhile is told once there is somewhere to tell it: to the listener given to `tellTo`. */
export async function openKept(
  pluginId: string,
  { stateFolder, store, clock, limits }: KeptDeps,
): Promise<[KeptThings, tellTo: (tell: (...told: StoreTrouble) => void) => void]> {
  const early: StoreTrouble[] = [];
  let tell = (...told: StoreTrouble): void => void early.push(told);
  const deadLetters = await DeadLetters.open({
    pluginId,
    store,
    clock,
    limits,
    oldFile: join(stateFolder, 'dead-letters', `${pluginId}.ndjson`),
    onTrouble: (...told) => tell('dead_letters_unsafe', ...told),
  });
  const state = new KeptState({
    store,
    clock,
    table: 'state',
    owner: [pluginId],
    onTrouble: (...told) => tell('state_unsafe', ...told),
  });
  await state.open();
  return [
    { deadLetters, state },
    (listener) => {
      tell = listener;
      for (const told of early) listener(...told);
    },
  ];
}
