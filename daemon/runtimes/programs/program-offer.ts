// What a profile is run by at present: the plugin as it was last read, and where its cells' words go. A reload makes
// another offer, and by that a worker's program sees that its cell is of yesterday.
import type { LogDroppedMessage, LogMessage } from '../../../protocol/cell/messages.ts';
import type { HostError } from '../../../protocol/errors.ts';
import { type ProfileSection, serviceSection } from '../../../protocol/manifest.ts';
import type { SpawnCell } from '../../cells/cell.ts';
import type { Limits } from '../../config/schema.ts';
import type { LoadedPlugin } from '../../plugins/plugin.ts';
import type { ProgramEnd } from './program.ts';
import { incarnationOptions } from '../../dispatch/incarnation-options.ts';
import type { Redact } from '../../dispatch/plugin-error.ts';
import type { IncarnationOptions } from '../../dispatch/incarnation.ts';
import type { ServicePlan } from '../../dispatch/service-plan.ts';

/** What of the host belongs to one plugin. */
export interface ProgramHome {
  readonly spawnCell: SpawnCell;
  readonly redact: Redact;
  log(message: LogMessage, incarnation: number): void;
  logDropped(message: LogDroppedMessage, incarnation: number): void;
  /** An input failed, or a cell ended between two of them. */
  failed(error: HostError, incarnation: number, eventId?: string): void;
  /** An input of a worker has come to its end. */
  inputEnded?(kind: ProgramEnd['kind']): void;
  /** Something worth a line in the timeline that is no failure. */
  note(event: string, message: string, incarnation: number): void;
}

export interface ProgramOffer {
  readonly plan: ServicePlan;
  readonly profile: ProfileSection;
  readonly home: ProgramHome;
}

export interface WorkerAddress {
  readonly runtimeId: string;
  readonly workerId: string;
}

export type ProgramLimits = Pick<
  Limits,
  | 'stalledMs'
  | 'stateBytes'
  | 'toolOutputBytes'
  | 'workerCancelMs'
  | 'workerIdleMs'
  | 'workerSayBytes'
  | 'workerSayPieces'
>;

/** The one entrance of the service that a program is to its cell. */
export const inputIngress = 'input';

export function offerOf(
  plugin: LoadedPlugin,
  entryUrl: string,
  env: Readonly<Record<string, string>>,
  profile: ProfileSection,
  home: ProgramHome,
): ProgramOffer {
  const section = serviceSection.parse({
    ingresses: [{ name: inputIngress, kinds: ['user', 'system'] }],
    timeouts: { handleMs: profile.timeoutMs },
  });
  return { plan: { plugin, section, env, entryUrl }, profile, home };
}

/** `plan`: the offer's, or what an escalation made of it. */
export function programIncarnationOptions(
  plan: ServicePlan,
  profile: ProfileSection,
  worker: WorkerAddress,
  incarnation: number,
  limits: ProgramLimits,
): IncarnationOptions {
  // An input may run for minutes; that it does not even begin is known much earlier.
  const made = incarnationOptions(plan, incarnation, limits, Math.min(profile.timeoutMs, limits.stalledMs));
  return {
    ...made,
    subject: `profile "${profile.name}"`,
    spec: { ...made.spec, name: `${plan.plugin.id}:${profile.name}` },
    cell: {
      ...made.cell,
      profile: { name: profile.name, worker, maxSaidBytes: limits.workerSayBytes, maxPieces: limits.workerSayPieces },
    },
  };
}
