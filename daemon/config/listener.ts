// What the ports of nagaya.json have in common: where they listen, and how much of a request they take.
import { isIP } from 'node:net';
import * as z from 'zod';

const kib = 1024;

export const durationMs = (least: number, most: number) => z.int().min(least).max(most);
export const many = (most: number) => z.int().min(1).max(most);
export const bytes = (least: number, most: number) => z.int().min(least).max(most);

export const requestLimits = {
  headerBytes: bytes(kib, 256 * kib)
    .default(16 * kib)
    .describe('the head of one request'),
  bodyBytes: bytes(kib, 64 * kib * kib)
    .default(256 * kib)
    .describe('the body of one request'),
  requestMs: durationMs(100, 600_000).default(10_000).describe('a request that has begun must have come whole by then'),
};

/** `whose`: what the port is for. */
export const listener = (whose: string) => ({
  port: z.int().min(0).max(65_535).describe(`TCP port for ${whose}; 0 takes any free one`),
  host: z
    .string()
    .refine((host) => host === 'localhost' || isIP(host) !== 0, 'must be an IP address or localhost')
    .default('127.0.0.1')
    .describe('address to listen on'),
  allowRemote: z
    .boolean()
    .default(false)
    .describe('needed where `host` is not a loopback address: what then crosses the network is not encrypted'),
});

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
