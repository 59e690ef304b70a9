// The section of nagaya.json that opens a port for webhooks. Nothing listens on it before a plugin declares a webhook.
import * as z from 'zod';
import { bytes, durationMs, listener, many, requestLimits } from './listener.ts';

const kib = 1024;

export const webhookLimits = z.strictObject({
  connections: many(10_000).default(256).describe('open at once on the port'),
  ...requestLimits,
  bodiesBytes: bytes(64 * kib, 1024 * kib * kib)
    .default(16 * kib * kib)
    .describe('the bodies that are being received, or wait for their answer, together'),
  pending: many(10_000)
    .default(64)
    .describe('requests of one source that wait for their answer; beyond it the sender is asked to come back'),
  idleMs: durationMs(100, 3_600_000).default(5000).describe('a connection that asks nothing is closed'),
});

export const webhooks = z.strictObject({ ...listener('webhooks'), limits: webhookLimits.prefault({}) });
export type WebhooksConfig = z.output<typeof webhooks>;
