// What arrives through an ingress. The host fills what the sender may leave out; the plugin always gets it whole.
import * as z from 'zod';
import { localName, openId } from './identifiers.ts';

export const ingressEventInput = z.strictObject({
  ingress: localName.describe('which declared entrance of the service'),
  kind: localName.describe('which declared kind of that ingress'),
  source: openId.default('client').describe("who sent it, in the sender's own words"),
  payload: z.unknown().optional().describe('any JSON; absent means null'),
  createdAt: z.iso.datetime({ offset: true }).optional().describe('RFC 3339; the host fills in the present time'),
  correlationId: openId
    .optional()
    .describe("the sender's own id, which several events may share; the host fills in the eventId"),
  idempotencyKey: openId
    .optional()
    .describe('however often it is published under the same key, within limits.dedupeMs, it is accepted once'),
  key: openId
    .optional()
    .describe('for services that the members of a cluster share: events with the same key are handled in order'),
});

export type IngressEventInput = z.input<typeof ingressEventInput>;

export interface IngressEvent {
  readonly ingress: string;
  readonly kind: string;
  readonly source: string;
  readonly payload: unknown;
  readonly createdAt: string;
  readonly attempt: number;
  /** The sender's own id for it; several events may share one. */
  readonly correlationId: string;
  /** The host's own id for it; no other event has the same, and each attempt at it has. */
  readonly eventId: string;
}
