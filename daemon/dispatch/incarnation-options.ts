// How a service's cells are made: everything of the plugin and the configuration that an incarnation needs.
import { cellGrants, permissionArgs } from '../isolates/permissions.ts';
import type { IncarnationOptions } from './incarnation.ts';
import type { ServicePlan } from './service-plan.ts';

/** A cell that has work and begins none of it is held by something else; loaded machines are given this long. */
const leastStallMs = 2000;
/**
 * What else runs in a cell may keep an event waiting for as much processor time as an event gets time, and for this at
 * least.
 */
const leastSpinMs = 250;
/** What a process cell has said about beginning an event arrives within this. */
const wordMs = 500;

export interface CellBounds {
  readonly toolOutputBytes: number;
  readonly stateBytes: number;
  /** Of a service alone, as is the next. */
  readonly commandsPerEvent?: number;
  readonly commandBytes?: number;
}

/** `stallMs`: a cell that has work begins some of it within this. */
export function incarnationOptions(
  { plugin, section, env, entryUrl }: ServicePlan,
  incarnation: number,
  { toolOutputBytes, stateBytes, commandsPerEvent = 0, commandBytes = 0 }: CellBounds,
  stallMs = section.timeouts.handleMs,
): IncarnationOptions {
  const { manifest } = plugin;
  const leastMs = Math.max(leastStallMs, stallMs);
  const schemas = section.ingresses.flatMap(({ name, payloadSchema }) =>
    payloadSchema === undefined ? [] : [[name, JSON.stringify(payloadSchema)] as const],
  );
  return {
    spec: {
      isolation: manifest.isolation,
      server: manifest.mcp,
      name: plugin.id,
      folder: plugin.folder,
      env,
      execArgv: permissionArgs(manifest.permissions, plugin.folder, plugin.keptSocket, plugin.codeFolder),
      grants: cellGrants(manifest.permissions, plugin.keptSocket),
      heapMb: manifest.limits.heapMb,
      rssMb: manifest.limits.rssMb,
      descriptors: manifest.limits.descriptors,
      logBytesPerSecond: manifest.limits.logBytesPerSecond,
      beginWithinMs: leastMs - wordMs,
      spinMs: Math.max(leastSpinMs, stallMs),
    },
    cell: {
      plugin: { id: plugin.id, name: manifest.name, version: manifest.version },
      incarnation,
      entryUrl,
      configJson: JSON.stringify(plugin.config),
      payloadSchemas: Object.fromEntries(schemas),
      maxOutputBytes: toolOutputBytes,
      maxStateBytes: stateBytes,
      ...(section.outputs.length === 0
        ? {}
        : {
            outputs: {
              names: section.outputs.map(({ name }) => name),
              maxCommands: commandsPerEvent,
              maxCommandBytes: commandBytes,
            },
          }),
      pausesOnFailure: section.retry.order === 'hold',
    },
    startMs: section.timeouts.startMs,
    handleMs: section.timeouts.handleMs,
    stallMs: leastMs,
  };
}
