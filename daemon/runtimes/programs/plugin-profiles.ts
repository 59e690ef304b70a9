// The profiles of one plugin as it was last read: what each is to be run by. Whoever runs one asks again for each
// input.
import { pathToFileURL } from 'node:url';
import { HostError } from '../../../protocol/errors.ts';
import { nearest } from '../../../protocol/issues.ts';
import type { LoadedPlugin } from '../../plugins/plugin.ts';
import { type ProgramHome, type ProgramOffer, offerOf } from './program-offer.ts';

export class PluginProfiles {
  readonly #home: ProgramHome;
  #pluginId = '';
  #offers: ReadonlyMap<string, ProgramOffer> = new Map();

  constructor(home: ProgramHome) {
    this.#home = home;
  }

  get offers(): readonly ProgramOffer[] {
    return [...this.#offers.values()];
  }

  /** From here on every input runs what was read now. */
  replan(plugin: LoadedPlugin, env: Readonly<Record<string, string>>): void {
    const entryUrl = pathToFileURL(plugin.entry).href;
    this.#pluginId = plugin.id;
    this.#offers = new Map(
      plugin.manifest.profiles.map((profile) => [profile.name, offerOf(plugin, entryUrl, env, profile, this.#home)]),
    );
  }

  offer(name: string): ProgramOffer {
    const offer = this.#offers.get(name);
    if (offer !== undefined) return offer;
    const names = [...this.#offers.keys()];
    const meant = nearest(name, names);
    throw new HostError(
      'profile_not_found',
      `The plugin ${this.#pluginId} has no profile "${name}".${meant === undefined ? '' : ` Did you mean "${meant}"?`}`,
      { plugin: this.#pluginId, profile: name, profiles: names },
    );
  }
}
