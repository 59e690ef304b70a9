// What is told of one plugin as a whole: its line in the list, and the bundle of the flight recorder.
import { credentialUses } from '../../protocol/credential-uses.ts';
import type { PluginSummary } from '../../protocol/operations/plugin.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';
import type { Service } from '../services/service.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import type { PluginLog } from '../telemetry/plugin-log.ts';
import type { Timeline } from '../telemetry/timeline.ts';
import type { Clock } from '../time/clock.ts';
import type { Limits } from '../config/schema.ts';
import type { ListedTool } from './plugin-server.ts';

interface Subject {
  readonly id: string;
  readonly plugin: LoadedPlugin;
  readonly service: Service | undefined;
  readonly toolList: readonly ListedTool[];
  readonly remembered: boolean;
  readonly timeline: Timeline;
  readonly log: PluginLog;
}

export function pluginSummary({ id, plugin, service, toolList, remembered }: Subject): PluginSummary {
  const { manifest, enabled, notes } = plugin;
  return {
    id,
    name: manifest.name,
    version: manifest.version,
    state: enabled ? 'loaded' : 'disabled',
    hasService: service !== undefined,
    lifecycle: service?.lifecycle ?? null,
    tools: toolList.map(({ name }) => name),
    profiles: manifest.profiles.map(({ name }) => name),
    isolation: manifest.isolation,
    notes: [...notes],
    credentials: credentialUses(manifest),
    remembered,
  };
}

/** The one at the front is most likely the one it failed on. */
const bundledEvents = 5;

export interface FlightDeps {
  readonly recorder: FlightRecorder;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly bundlePayloads: boolean;
}

export function recordFlight(
  { id, plugin, service, timeline, log }: Subject,
  { recorder, clock, limits, bundlePayloads }: FlightDeps,
  redact: (json: string) => string,
): void {
  if (service === undefined) return;
  recorder.record({
    pluginId: id,
    periodMs: plugin.manifest.service?.restart.periodMs ?? 0,
    redact,
    collect: () => ({
      pluginId: id,
      at: new Date(clock.wallMs()).toISOString(),
      manifest: plugin.manifest,
      status: service.status(),
      timeline: timeline.newest(limits.timeline),
      log: log.recent(limits.logLines).lines,
      ...(bundlePayloads ? { waiting: service.waiting(bundledEvents) } : {}),
    }),
  });
}
