// What plugins use, as rows: sorted by what the operator asks for, with rates between two looks at the daemon.
import type { OperationResult } from '../../../protocol/operations.ts';
import type { PartUsage, PluginUsage } from '../../../protocol/usage.ts';
import { durationText, percentText, rateText } from './quantity.ts';
import { lifecyclePiece } from './service-view.ts';
import { type Piece, styled } from './terminal.ts';

export type UsageLook = OperationResult<'usage.list'>;

/** One plugin between two looks. */
export interface UsageRow extends PluginUsage {
  /** Of one processor, between the two looks. */
  readonly cpuPercent: number;
  readonly memoryMb: number;
  readonly eventsPerSecond: number;
}

export const sortKeys = ['cpu', 'memory', 'queue', 'events', 'wait', 'time', 'name'] as const;
export type SortKey = (typeof sortKeys)[number];

const parts = (usage: PluginUsage): PartUsage[] =>
  [usage.service, usage.tools, usage.workers].filter((part) => part !== null);

const memoryOf = (usage: PluginUsage): number =>
  parts(usage).reduce((sum, { heapUsedMb, offHeapMb, rssMb }) => sum + Math.max(heapUsedMb + offHeapMb, rssMb), 0);

const sortValues: Readonly<Record<Exclude<SortKey, 'name'>, (row: UsageRow) => number>> = {
  cpu: ({ cpuPercent }) => cpuPercent,
  memory: ({ memoryMb }) => memoryMb,
  queue: ({ service }) => service?.queue.depth ?? 0,
  events: ({ eventsPerSecond }) => eventsPerSecond,
  wait: ({ service }) => service?.queueMs.p99 ?? 0,
  time: ({ cpuSeconds }) => cpuSeconds,
};

/** Without a look before there are no rates yet: they are 0. */
/** What it may use, where it is held to that, and whether it has used more. */
function sharePiece({ cpuShare }: UsageRow): Piece {
  if (cpuShare === null) return '-';
  const text = percentText(cpuShare.share);
  return cpuShare.state === 'within' ? text : styled('yellow', `${text} ${cpuShare.state}`);
}

export function usageRows(now: UsageLook, before: UsageLook | undefined, sort: SortKey): UsageRow[] {
  const seconds = before === undefined ? 0 : (Date.parse(now.at) - Date.parse(before.at)) / 1000;
  const earlier = new Map(before?.plugins.map((usage) => [usage.plugin, usage]));
  const per = (value: number, old: number | undefined): number =>
    old === undefined || seconds <= 0 || value < old ? 0 : (value - old) / seconds;
  const rows = now.plugins.map((usage): UsageRow => {
    const old = earlier.get(usage.plugin);
    return {
      ...usage,
      cpuPercent: Number((per(usage.cpuSeconds, old?.cpuSeconds) * 100).toFixed(1)),
      memoryMb: Number(memoryOf(usage).toFixed(1)),
      eventsPerSecond: Number(per(usage.service?.settled ?? 0, old?.service?.settled).toFixed(1)),
    };
  });
  const byName = (one: UsageRow, other: UsageRow): number => one.plugin.localeCompare(other.plugin);
  if (sort === 'name') return rows.sort(byName);
  const value = sortValues[sort];
  return rows.sort((one, other) => value(other) - value(one) || byName(one, other));
}

export const usageHeadings = [
  'PLUGIN',
  'CPU %',
  'SHARE',
  'CPU TIME',
  'MEMORY',
  'LOOP',
  'SERVICE',
  'QUEUE',
  'EVENTS',
  'WAIT P99',
  'HANDLE P99',
  'CALLS',
  'RESTARTS',
  'LOG',
];

const percentPiece = (percent: number): Piece => {
  const text = percent.toFixed(1);
  return percent >= 90 ? styled('red', text) : percent >= 50 ? styled('yellow', text) : text;
};

export function usageRow(row: UsageRow): Piece[] {
  const { service, tools } = row;
  const loop = Math.max(0, ...parts(row).map(({ eventLoopUtilization }) => eventLoopUtilization));
  const calls = Object.values(tools?.calls ?? {}).reduce((sum, count) => sum + count, 0);
  return [
    row.plugin,
    percentPiece(row.cpuPercent),
    sharePiece(row),
    `${row.cpuSeconds.toFixed(1)} s`,
    `${row.memoryMb.toFixed(0)} MB`,
    `${(loop * 100).toFixed(0)} %`,
    service === null ? '-' : lifecyclePiece(service.lifecycle),
    service === null ? '-' : `${String(service.queue.depth)}/${String(service.queue.capacity)}`,
    service === null ? '-' : rateText(row.eventsPerSecond),
    service === null ? '-' : durationText(service.queueMs.p99),
    service === null ? '-' : durationText(service.handleMs.p99),
    tools === null ? '-' : String(calls),
    service === null ? '-' : String(service.restarts),
    `${(row.log.bytes / 1e6).toFixed(1)} MB`,
  ];
}
