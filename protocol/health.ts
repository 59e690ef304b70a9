// Whether the daemon is live and ready, and why not.
import * as z from 'zod';

export const healthReason = z.object({
  code: z
    .string()
    .describe('starting, shutting_down, service_failed, store_unusable, thread_pool_full, source_deaf, left_out'),
  plugin: z.string().optional(),
  message: z.string(),
});
export type HealthReason = z.output<typeof healthReason>;

export const health = z.object({
  live: z.literal(true),
  ready: z.boolean(),
  reasons: z.array(healthReason).describe('why it is not ready'),
});
export type Health = z.output<typeof health>;
