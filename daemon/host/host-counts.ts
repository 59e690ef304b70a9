// What the host counts for the status of the daemon.
import type { OperationResult } from '../../protocol/operations.ts';
import type { EmbeddedRuntime } from '../runtimes/embedded/embedded-runtime.ts';
import type { Profiles } from '../runtimes/programs/profiles.ts';
import type { HostedPlugin } from './hosted-plugin.ts';

export type HostCounts = Omit<
  OperationResult<'daemon.status'>['counts'],
  'connections' | 'halfLineBytes' | 'subscriptions'
>;

export interface Counted {
  readonly hosted: readonly HostedPlugin[];
  /** Unloaded, with threads that did not end. */
  readonly departed: readonly HostedPlugin[];
  readonly profiles: Profiles;
  readonly embedded: EmbeddedRuntime;
}

export function hostCounts({ hosted, departed, profiles, embedded }: Counted): HostCounts {
  const services = hosted.flatMap(({ service }) => (service === undefined ? [] : [service]));
  const workers = embedded.report().workers;
  const sum = (figures: readonly number[]): number => figures.reduce((total, figure) => total + figure, 0);
  return {
    plugins: hosted.length,
    services: services.length,
    servicesRunning: services.filter(({ lifecycle }) => lifecycle === 'running').length,
    servicesFailed: services.filter(({ lifecycle }) => lifecycle === 'failed').length,
    tools: sum(hosted.map(({ toolList }) => toolList.length)),
    toolCallsPending: sum(hosted.map(({ tools }) => tools.pending)),
    toolThreads: sum(hosted.map(({ tools }) => tools.threads)),
    workers: workers.total,
    workersBusy: workers.busy,
    workerCells: profiles.cells,
    unkillable: sum([...hosted, ...departed, profiles].map(({ unkillable }) => unkillable)),
  };
}
