// The section of nagaya.json that opens a port for webhooks. Nothing listens on it before a plugin declares a webhook.
import { isIP } from 'node:net';
import * as z from 'zod';

const kib = 1024;
const durationMs = (least: number, most: number) => z.int().min(least).max(most);
const many = (most: number) => z.int().min(1).max(most);

export const webhookLimits = z.strictObject({
  connections: many(10_000).default(256).describe('open at once on the port'),
  headerBytes: z
    .int()
    .min(kib)
    .max(256 * kib)
    .default(16 * kib)
    .describe('the head of one request'),
  bodyBytes: z
    .int()
    .min(kib)
    .max(64 * kib * kib)
    .default(256 * kib)
    .describe('the body of one request'),
  bodiesBytes: z
    .int()
    .min(64 * kib)
    .max(1024 * kib * kib)
    .default(16 * kib * kib)
    .describe('the bodies that are being received, or wait for their answer, together'),
  pending: many(10_000)
    .default(64)
    .describe('requests of one source that wait for their answer; beyond it the sender is asked to come back'),
  requestMs: durationMs(100, 600_000).default(10_000).describe('a request that has begun must have come whole by then'),
  idleMs: durationMs(100, 3_600_000).default(5000).describe('a connection that asks nothing is closed'),
});

export const webhooks = z.strictObject({
  port: z.int().min(0).max(65_535).describe('TCP port for webhooks; 0 takes any free one'),
  host: z
    .string()
    .refine((host) => host === 'localhost' || isIP(host) !== 0, 'must be an IP address or localhost')
    .default('127.0.0.1')
    .describe('address to listen on'),
  allowRemote: z
    .boolean()
    .default(false)
    .describe('needed where `host` is not a loopback address: what then crosses the network is not encrypted'),
  limits: webhookLimits.prefault({}),
});
export type WebhooksConfig = z.output<typeof webhooks>;
