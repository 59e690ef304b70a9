// An event that is not tried again, with the whole story of why: kept so that nothing accepted vanishes, and a
// person can look, correct the plugin and send it again.
import * as z from 'zod';
import { errorCodes } from './errors.ts';

const count = z.int().min(0);

/** One delivery that ended without an outcome. */
export const attemptStory = z.object({
  attempt: count,
  at: z.iso.datetime(),
  incarnation: count,
  error: z.object({
    code: z.enum(errorCodes),
    message: z.string(),
    stack: z.string().optional(),
    where: z.string().optional(),
  }),
});
export type AttemptStory = z.output<typeof attemptStory>;

/**
 * Its attempts are used up, its handler threw a PermanentError, or its payload breaks the schema of its ingress; or, in
 * a cluster, the plugin of the member that has the service declares no such event.
 */
export const deadLetterReason = z.enum(['attempts', 'permanent', 'payload_invalid', 'event_invalid']);
export type DeadLetterReason = z.output<typeof deadLetterReason>;

export const deadLetter = z.object({
  id: z.string(),
  /** Absent where an older daemon wrote it: its attempts were used up. */
  reason: deadLetterReason.optional(),
  /** Absent where an older daemon wrote it. */
  eventId: z.string().optional(),
  correlationId: z.string(),
  ingress: z.string(),
  kind: z.string(),
  source: z.string(),
  createdAt: z.string(),
  deadAt: z.iso.datetime(),
  attempts: z.array(attemptStory),
  /** The dead letter this event was a replay of. */
  replayOf: z.string().nullable(),
  bytes: count,
});
export type DeadLetter = z.output<typeof deadLetter>;

/** With the event itself, as it would be sent again. */
export const deadLetterWithEvent = deadLetter.extend({ event: z.record(z.string(), z.unknown()) });
export type DeadLetterWithEvent = z.output<typeof deadLetterWithEvent>;
