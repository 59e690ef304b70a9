// The section of nagaya.json that opens the daemon to browsers. Without it no port is listened on; with it every bound
// of that port has its own default, for what comes from a browser is trusted less than what comes from the socket.
import * as z from 'zod';
import { durationMs, listener, many, requestLimits } from './listener.ts';

export const httpLimits = z.strictObject({
  connections: many(10_000).default(64).describe('open at once on the port'),
  requestsPerConnection: many(1_000_000)
    .default(1000)
    .describe('after them the connection is closed, and a client makes another'),
  pendingRequests: many(10_000).default(32).describe('unanswered requests of one connection'),
  ...requestLimits,
  idleMs: durationMs(100, 3_600_000)
    .default(60_000)
    .describe('a connection that asks nothing, or does not read its answer, is closed'),
  streams: many(1000).default(16).describe('open at once for one session or token'),
  links: many(1000).default(8).describe('one-time links that wait to be used; beyond it the oldest goes'),
  linkMs: durationMs(1000, 86_400_000).default(300_000).describe('a one-time link can be used for this long'),
  sessions: many(10_000).default(32).describe('browsers signed in at once; beyond it the oldest is signed out'),
  sessionMs: durationMs(1000, 2_000_000_000).default(43_200_000).describe('a browser stays signed in for this long'),
});
export type HttpLimits = z.output<typeof httpLimits>;

const token = z
  .string()
  .regex(/^[A-Za-z0-9._~+/=-]{24,512}$/, 'must be 24-512 characters of A-Z a-z 0-9 . _ ~ + / = -');

export const http = z.strictObject({
  ...listener('browsers'),
  names: z
    .array(
      z.string().regex(/^[a-z0-9.-]{1,253}(?::\d{1,5})?$/, 'must be a host name in lower case, with or without a port'),
    )
    .max(32)
    .default([])
    .describe('further names under which browsers reach the port, with their port where it is another'),
  token: token.optional().describe('allows everything a browser may do; one is made and kept where there is none'),
  readToken: token.optional().describe('allows only to read; one is made and kept where there is none'),
  metricsToken: token.optional().describe('allows only to read /metrics; one is made and kept where there is none'),
  toolsToken: token
    .optional()
    .describe('allows MCP clients to call tools at /mcp and nothing else; one is made and kept where there is none'),
  limits: httpLimits.prefault({}),
});
export type HttpConfig = z.output<typeof http>;
