// What an earlier daemon kept of one plugin, read before anything of the plugin is made.
import { join } from 'node:path';
import { placedStateTable } from '../../protocol/store/change.ts';
import type { Limits } from '../config/schema.ts';
import { KeptState } from '../dispatch/kept-state.ts';
import { type OutputTargets, driverOf } from '../outputs/drivers.ts';
import type { Driver } from '../outputs/command.ts';
import { PluginOutputs } from '../outputs/plugin-outputs.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';
import { KeptQueue } from '../services/durable/kept-queue.ts';
import type { Guilt } from '../services/durable/queue-recovery.ts';
import type { PlacedQueue } from '../services/placed.ts';
import { DeadLetters } from '../services/dead-letters.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import { PluginHistory } from './plugin-history.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../time/clock.ts';

export interface KeptThings {
  readonly deadLetters: DeadLetters;
  readonly state: KeptState;
  readonly outputs: PluginOutputs;
  /** Of the plugin's service; undefined where it has none. */
  readonly queue: KeptQueue | undefined;
  readonly history: PluginHistory;
}

export interface KeptDeps {
  readonly stateFolder: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly guiltOf: (plugin: string) => Guilt;
  readonly log: Logger;
  /** Where commands can be delivered. */
  readonly targets: OutputTargets;
  /** Commands wait, and nothing is delivered. */
  readonly holdsCommands: boolean;
}

export type TellPlugin = (
  event: string,
  message: string,
  level?: 'warn' | 'error',
  ids?: { readonly eventId: string; readonly correlationId: string },
) => void;

/** What is found wrong meanwhile is told once there is somewhere to tell it: to the listener given to `tellTo`. */
export async function openKept(
  plugin: LoadedPlugin,
  deps: KeptDeps,
  placed?: PlacedQueue,
): Promise<[KeptThings, tellTo: (listener: TellPlugin) => void]> {
  const { id, manifest } = plugin;
  const { stateFolder, store, clock, limits, log, targets } = deps;
  const early: Parameters<TellPlugin>[] = [];
  let tell: TellPlugin = (...told) => void early.push(told);
  const trouble =
    (event: string) =>
    (message: string, error?: Error): void => {
      tell(event, error === undefined ? message : `${message}: ${error.message}`, 'error');
      log.error({ plugin: id, err: error?.message }, message);
    };
  const deadLetters = await DeadLetters.open({
    pluginId: id,
    store: placed?.records ?? store,
    clock,
    limits,
    // What was kept before the service was placed in a cluster stays on this machine.
    oldFile: placed === undefined ? join(stateFolder, 'dead-letters', `${id}.ndjson`) : undefined,
    onTrouble: trouble('dead_letters_unsafe'),
  });
  const onTrouble = trouble('state_unsafe');
  const state: KeptState =
    placed === undefined
      ? new KeptState({ store, clock, table: 'state', owner: [id], onTrouble })
      : new KeptState({
          store: placed.stateStore((values) => state.adopt(values)),
          clock,
          table: placedStateTable,
          owner: [],
          onTrouble,
        });
  await state.open();
  const outputs = new PluginOutputs({
    plugin: id,
    store: placed?.records ?? store,
    clock,
    limits: deps.holdsCommands ? { ...limits, outputConcurrency: 0 } : limits,
    random: Math.random,
    driverOf: (output) => fenced(driverOf(output, id, targets), placed),
    tell: (level, event, message, ids) => tell(event, message, level, ids),
    onTrouble: trouble('commands_unsafe'),
  });
  await outputs.open(manifest.service?.outputs ?? []);
  placed?.whenMoved({
    came: () => Promise.all([deadLetters.reread(), outputs.reread()]),
    settled: () => Promise.all([deadLetters.written(), outputs.settled()]),
    went: () => {
      deadLetters.forget();
      outputs.forget();
    },
  });
  const queue = await openQueue(plugin, deps, trouble('queue_unsafe'));
  const history = await PluginHistory.open({ pluginId: id, store, clock, limits });
  return [
    { deadLetters, state, outputs, queue, history },
    (listener) => {
      tell = listener;
      for (const told of early) listener(...told);
    },
  ];
}

/** Of a placed service, nothing is sent but under a lease that is in force, however late a timer comes. */
function fenced(driver: Driver, placed: PlacedQueue | undefined): Driver {
  if (placed === undefined) return driver;
  const error = { code: 'cluster_unavailable', message: 'This member does not have the service now.' } as const;
  return {
    send: (command, signal) =>
      placed.isInForce ? driver.send(command, signal) : Promise.resolve({ is: 'retry', error }),
  };
}

/** Of a service that a reload brings, too. */
export async function openQueue(
  { id, manifest: { isolation, service } }: LoadedPlugin,
  {
    stateFolder,
    store,
    clock,
    limits,
    guiltOf,
  }: Pick<KeptDeps, 'stateFolder' | 'store' | 'clock' | 'limits' | 'guiltOf'>,
  onTrouble: (message: string, error?: Error) => void,
): Promise<KeptQueue | undefined> {
  if (service === undefined) return undefined;
  const guilt = guiltOf(id);
  return await KeptQueue.open({
    pluginId: id,
    store,
    stateFolder,
    clock,
    limits,
    residentBytes: service.queue.maxBytes,
    guilt: isolation === 'process' && guilt === 'unknown' ? 'none' : guilt,
    onTrouble,
  });
}
