// What a plugin uses of the machine, and how its parts fare: the figures behind `nagaya top`, the page and /metrics.
import * as z from 'zod';
import { cpuShare, lifecycle, percentiles } from './status.ts';

const count = z.int().min(0);
const megabytes = z.number().min(0);

export const partUsage = z.object({
  cpuSeconds: z
    .number()
    .min(0)
    .describe("processor time of all its cells since the daemon loaded the plugin, by the system's own figures"),
  cells: count.describe('threads or processes at present'),
  heapUsedMb: megabytes.describe('of V8, of all its cells'),
  offHeapMb: megabytes.describe('buffers and what else V8 knows to lie outside its heap'),
  rssMb: megabytes.describe("of its processes; threads share the daemon's"),
  eventLoopUtilization: z.number().min(0).max(1).describe('of the busiest of its cells, in the last seconds'),
});
export type PartUsage = z.output<typeof partUsage>;

export const outcomes = z.record(z.string(), count);

export const pluginUsage = z.object({
  plugin: z.string(),
  cpuSeconds: z.number().min(0).describe('of all its parts'),
  cpuShare: cpuShare.nullable().describe('how it keeps to its share of the processor; null where it has no bound'),
  service: partUsage
    .extend({
      lifecycle,
      incarnation: count,
      restarts: count,
      queue: z.object({ depth: count, capacity: count, oldestAgeMs: count }),
      enqueued: count,
      settled: count.describe('events that have an outcome'),
      failed: count.describe('events whose outcome was failed or deadLettered'),
      deadLetters: count,
      outputs: z
        .object({ pending: count, delivered: count, failed: count, deadLetters: count })
        .describe('commands of all its outputs; failed: attempts to deliver one'),
      queueMs: percentiles.describe('from the acceptance of an event until its cell was given it'),
      handleMs: percentiles.describe('inside the handler'),
    })
    .nullable(),
  tools: partUsage
    .extend({
      pending: count,
      calls: outcomes.describe('calls by outcome: `ok`, or the code of the error'),
      waitMs: percentiles.describe('from the arrival of a call until its cell began it'),
      runMs: percentiles.describe('in the cell'),
    })
    .nullable(),
  workers: partUsage
    .extend({ inputs: outcomes.describe('inputs by outcome: `done`, `failed` or `cancelled`') })
    .nullable(),
  log: z.object({ lines: count, bytes: count, droppedLines: count, droppedBytes: count }),
});
export type PluginUsage = z.output<typeof pluginUsage>;
