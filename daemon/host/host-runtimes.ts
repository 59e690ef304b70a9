// The runtimes that every daemon has, in one registry: its own workers, and its services shown as workers.
import { uuidv7 } from '../../protocol/uuid.ts';
import { EmbeddedRuntime } from '../runtimes/embedded/embedded-runtime.ts';
import { LocalRuntime } from '../runtimes/local/local-runtime.ts';
import type { Profiles } from '../runtimes/programs/profiles.ts';
import { Registry } from '../runtimes/registry.ts';
import type { Clock } from '../time/clock.ts';
import type { Limits } from '../config/schema.ts';
import type { Store } from '../store/store.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import type { HostedPlugin } from './hosted-plugin.ts';

export interface RuntimesOptions {
  readonly config: { readonly limits: Limits };
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: Store;
}

export interface HostRuntimes {
  readonly embedded: EmbeddedRuntime;
  readonly registry: Registry;
}

export function hostRuntimes(
  { config: { limits }, clock, log, store }: RuntimesOptions,
  profiles: Profiles,
  owners: () => readonly HostedPlugin[],
): HostRuntimes {
  const note = (profile: string, level: 'warn' | 'error', message: string): void => {
    const owner = owners().find(({ id }) => profile === id || profile.startsWith(`${id}:`));
    owner?.tell('worker_damaged', message, level);
  };
  const newId = (): string => uuidv7(clock.wallMs());
  const embedded = new EmbeddedRuntime(profiles, { clock, limits, log, store, newId, note });
  const registry = new Registry({ clock, limits, log });
  registry.add(embedded);
  registry.add(new LocalRuntime({ clock, limits, log, owners }));
  return { embedded, registry };
}
