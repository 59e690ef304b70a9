// Puts together what one plugin uses of the machine, from the meters of its cells and the books of its parts.
import type { PluginUsage } from '../../protocol/usage.ts';
import { cellMeters } from '../isolates/cell-meters.ts';
import type { PluginOutputs } from '../outputs/plugin-outputs.ts';
import type { Service } from '../services/service.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';
import type { PluginLog } from '../telemetry/plugin-log.ts';
import type { RunningTools } from '../tools/running-tools.ts';
import type { ToolBooks } from '../tools/tool-books.ts';
import type { Sharing } from './sharing-plugin.ts';

interface Subject {
  readonly id: string;
  readonly plugin: LoadedPlugin;
  readonly service: Service | undefined;
  readonly tools: RunningTools;
  readonly toolBooks: ToolBooks;
  readonly inputs: Readonly<Record<string, number>>;
  readonly log: PluginLog;
  readonly sharing: Sharing;
  readonly outputs: Pick<PluginOutputs, 'list'>;
}

export function measuredUsage(subject: Subject): PluginUsage {
  cellMeters.measure(subject.id);
  return pluginUsage(subject);
}

function pluginUsage({ id, plugin, service, tools, toolBooks, inputs, log, sharing, outputs }: Subject): PluginUsage {
  const used = {
    service: cellMeters.usage(id, 'service'),
    tools: cellMeters.usage(id, 'tools'),
    workers: cellMeters.usage(id, 'workers'),
  };
  const cpuSeconds = used.service.cpuSeconds + used.tools.cpuSeconds + used.workers.cpuSeconds;
  const { manifest } = plugin;
  return {
    plugin: id,
    cpuSeconds: Number(cpuSeconds.toFixed(3)),
    cpuShare: sharing.view,
    service:
      service === undefined ? null : { ...used.service, ...serviceFigures(service), outputs: outputFigures(outputs) },
    tools:
      manifest.tools.length === 0 && manifest.mcp === undefined
        ? null
        : {
            ...used.tools,
            pending: tools.pending,
            calls: toolBooks.outcomes(),
            waitMs: toolBooks.waits.percentiles(),
            runMs: toolBooks.runs.percentiles(),
          },
    workers: manifest.profiles.length === 0 ? null : { ...used.workers, inputs: { ...inputs } },
    log: log.counts,
  };
}

type ServiceUsage = Omit<NonNullable<PluginUsage['service']>, keyof NonNullable<PluginUsage['tools']> | 'outputs'>;

function outputFigures(outputs: Subject['outputs']): NonNullable<PluginUsage['service']>['outputs'] {
  const sum = { pending: 0, delivered: 0, failed: 0, deadLetters: 0 };
  for (const { pending, sent, failed, deadLetters } of outputs.list()) {
    sum.pending += pending;
    sum.delivered += sent;
    sum.failed += failed;
    sum.deadLetters += deadLetters;
  }
  return sum;
}

function serviceFigures(service: Service): ServiceUsage {
  const { lifecycle, incarnation, queue, counters, deadLetters, waits, handleTimes } = service.figures();
  const { depth, capacity, oldestAgeMs } = queue;
  const { enqueued, handled, failed, deadLettered, discarded, restarts } = counters;
  return {
    lifecycle,
    incarnation,
    restarts,
    queue: { depth, capacity, oldestAgeMs },
    enqueued,
    settled: handled + failed + deadLettered + discarded,
    failed: failed + deadLettered,
    deadLetters: deadLetters.count,
    queueMs: waits.percentiles(),
    handleMs: handleTimes.percentiles(),
  };
}
