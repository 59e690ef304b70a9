// Every profile a worker can be given, by name: the one built in and those of the loaded plugins. It also knows the
// programs that were opened, because an unload takes away what they run and a shutdown ends them all.
import { HostError } from '../../../protocol/errors.ts';
import type { Clock } from '../../time/clock.ts';
import type { LoadedPlugin } from '../../plugins/plugin.ts';
import type { Logger } from '../../telemetry/daemon-log.ts';
import { spawnCellFor } from '../../cells/spawn.ts';
import type { Limits } from '../../config/schema.ts';
import { builtinId } from '../../plugins/reserved-id.ts';
import { builtinProfiles } from './builtin-profile.ts';
import { CellSlots } from './cell-slots.ts';
import type { Profile, Program } from './program.ts';
import type { PluginProfiles } from './plugin-profiles.ts';
import { PluginProgram } from './plugin-program.ts';
import type { ProgramHome, ProgramOffer, WorkerAddress } from './program-offer.ts';

/** A loaded plugin as this directory needs it. */
export interface ProfileOwner {
  readonly id: string;
  readonly plugin: LoadedPlugin;
  readonly profiles: PluginProfiles;
  /** Throws where the configuration disables it. */
  requireEnabled(): void;
}

export interface ProfilesOptions {
  readonly limits: Limits;
  readonly clock: Clock;
  /** Of the daemon. */
  readonly version: string;
  readonly log: Logger;
  /** Plugins that are there and not about to go. */
  list(): readonly ProfileOwner[];
  /** Throws `plugin_not_found`. */
  get(id: string): ProfileOwner;
}

const separator = ':';

export class Profiles {
  readonly #options: ProfilesOptions;
  readonly #builtin: PluginProfiles;
  readonly #seats: CellSlots;
  /** By the plugin whose profile they run. */
  readonly #programs = new Map<string, Set<PluginProgram>>();
  #unkillable = 0;
  #closed = false;

  constructor(options: ProfilesOptions) {
    const { limits, clock, version } = options;
    this.#options = options;
    this.#seats = new CellSlots(limits.workerCells, clock);
    this.#builtin = builtinProfiles(version, builtinHome(options));
  }

  /** The built-in one first, then the plugins' in the order they were loaded. */
  list(): readonly Profile[] {
    const enabled = this.#options.list().filter(({ plugin }) => plugin.enabled);
    return [...this.#of(builtinId, this.#builtin), ...enabled.flatMap(({ id, profiles }) => this.#of(id, profiles))];
  }

  /** `<plugin id>:<profile>`, or the plugin's id alone where it has exactly one. */
  find(name: string): Profile | undefined {
    const at = name.indexOf(separator);
    const id = at === -1 ? name : name.slice(0, at);
    const owned = this.#owned(id);
    if (at !== -1) return owned.find((profile) => profile.name === name);
    return owned.length === 1 ? owned[0] : undefined;
  }

  /**
   * The program of a worker that was made before. Where its profile is gone, each input is told so, until it is there
   * again.
   */
  reopen(profile: string, worker: WorkerAddress): Program {
    const at = profile.indexOf(separator);
    const id = at === -1 ? profile : profile.slice(0, at);
    return this.find(profile)?.open(worker) ?? this.#open(worker, id, profile.slice(id.length + 1), 'thread');
  }

  /** Cells of workers that there are at present. */
  get cells(): number {
    return this.#seats.taken;
  }

  /** Cells that were given up and still exist. */
  get unkillable(): number {
    return this.#unkillable;
  }

  /**
   * Cells that would keep the daemon from exiting: those given up, and those whose end was ordered and has not come.
   */
  get leftover(): number {
    return this.#unkillable + this.#seats.taken;
  }

  /** The plugin goes: what its programs run ends, and their next input is told why it cannot run. */
  async revoke(id: string, deadlineMs: number): Promise<void> {
    const why = new HostError('plugin_not_found', `The plugin "${id}" was unloaded.`, { plugin: id });
    await Promise.all([...(this.#programs.get(id) ?? [])].map((program) => program.revoke(why, deadlineMs)));
  }

  /** No input runs after this. */
  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    await Promise.all(
      [...this.#programs.values()].flatMap((programs) => [...programs].map((program) => program.close(deadlineMs))),
    );
  }

  #owned(id: string): readonly Profile[] {
    if (id === builtinId) return this.#of(id, this.#builtin);
    const owner = this.#options.list().find((candidate) => candidate.id === id && candidate.plugin.enabled);
    return owner === undefined ? [] : this.#of(id, owner.profiles);
  }

  #of(id: string, profiles: PluginProfiles): Profile[] {
    return profiles.offers.map(({ profile: { name, description }, plan }) => ({
      name: `${id}${separator}${name}`,
      description,
      open: (worker) => this.#open(worker, id, name, plan.plugin.manifest.isolation),
    }));
  }

  #open(worker: WorkerAddress, id: string, name: string, isolation: 'thread' | 'process'): Program {
    const { clock, limits } = this.#options;
    const programs = this.#programs.get(id) ?? new Set();
    this.#programs.set(id, programs);
    const program = new PluginProgram(worker, isolation, {
      clock,
      limits,
      seats: this.#seats,
      offer: () => this.#offer(id, name),
      unkillable: () => (this.#unkillable += 1),
      leftBehindEnded: () => (this.#unkillable -= 1),
      closed: (closed) => {
        programs.delete(closed);
        if (programs.size === 0 && this.#programs.get(id) === programs) this.#programs.delete(id);
      },
    });
    programs.add(program);
    return program;
  }

  /** As the plugin is now: reloaded, gone, or come back. */
  #offer(id: string, name: string): ProgramOffer {
    if (this.#closed) throw new HostError('shutting_down', 'The daemon is shutting down.');
    if (id === builtinId) return this.#builtin.offer(name);
    const owner = this.#options.get(id);
    owner.requireEnabled();
    return owner.profiles.offer(name);
  }
}

/** What it says is of interest to the daemon's operator alone. */
function builtinHome({ limits, log }: ProfilesOptions): ProgramHome {
  return {
    spawnCell: spawnCellFor(limits),
    redact: (text) => text,
    log: ({ text }) => log.debug({ plugin: builtinId }, text),
    logDropped: () => {},
    note: (_event, message, incarnation) => log.info({ plugin: builtinId, incarnation }, message),
    failed: (error, incarnation) => log.warn({ plugin: builtinId, code: error.code, incarnation }, error.message),
  };
}
