// What every loaded plugin is given by the host.
import type { Clock } from '../time/clock.ts';
import type { Feed } from '../telemetry/feed.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import type { Limits } from '../config/schema.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import type { OutputTargets } from '../outputs/drivers.ts';
import type { Store } from '../store/store.ts';
import type { WakeTurns } from '../dispatch/wake-turns.ts';

export interface HostedDeps {
  readonly limits: Limits;
  readonly stateFolder: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly wakes: WakeTurns;
  readonly feed: Feed;
  readonly log: Logger;
  readonly recorder: FlightRecorder;
  /** Bundles hold events with their payloads. */
  readonly bundlePayloads: boolean;
  /** Where commands can be delivered. */
  readonly targets: OutputTargets;
  readonly env: Readonly<Record<string, string | undefined>>;
}
