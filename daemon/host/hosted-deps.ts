// What every loaded plugin is given by the host.
import type { HostMcp } from './plugin-server.ts';
import type { Feed } from '../telemetry/feed.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import type { KeptDeps } from './kept-things.ts';
import type { ServiceSection } from '../../protocol/manifest.ts';
import type { ServiceStatus } from '../../protocol/status.ts';
import type { PlacedQueue } from '../services/placed.ts';
import type { WakeTurns } from '../dispatch/wake-turns.ts';

export interface HostedDeps extends KeptDeps {
  readonly wakes: WakeTurns;
  readonly feed: Feed;
  readonly recorder: FlightRecorder;
  /** Bundles hold events with their payloads. */
  readonly bundlePayloads: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly mcp: HostMcp;
  /** What is known of the sources of its service. */
  sources(plugin: string): ServiceStatus['sources'];
  /** Undefined for a service that is this daemon's own. */
  place?(plugin: string, section: ServiceSection): PlacedQueue | undefined;
}
