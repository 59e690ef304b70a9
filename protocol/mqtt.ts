// What sources and outputs of type mqtt declare in common: the broker, the session and the forms of topics.
import * as z from 'zod';
import { topicFault } from './topics.ts';

export const mqttUrl = z
  .string()
  .max(2000)
  .refine(isBrokerUrl, 'must be an mqtt: or mqtts: URL of a host and a port, without a credential and without a path');

export const mqttSession = {
  version: z.enum(['5', '3.1.1']).default('5').describe('of the protocol; older brokers know 3.1.1 alone'),
  clientId: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores')
    .optional()
    .describe('how the broker knows the connection; absent: one that the daemon chooses and keeps'),
  qos: z.union([z.literal(0), z.literal(1)]).default(1),
};

export const topicName = z
  .string()
  .min(1)
  .max(1024)
  .superRefine((topic, context) => {
    const fault = topicFault(topic);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  });

/** With wildcards: `+` for one level, `#` for the rest. */
export const topicFilter = z
  .string()
  .min(1)
  .max(1024)
  .refine(isTopicFilter, 'must be a topic; "+" stands for a whole level, and "#" for the rest, at the end alone');

function isBrokerUrl(text: string): boolean {
  if (!URL.canParse(text) || /[@#?\s]/.test(text)) return false;
  const { protocol, hostname, pathname } = new URL(text);
  return /^mqtts?:$/.test(protocol) && hostname !== '' && (pathname === '' || pathname === '/');
}

function isTopicFilter(text: string): boolean {
  const levels = text.split('/');
  return (
    !text.includes('\0') &&
    levels.every((level, at) => (level === '#' ? at === levels.length - 1 : level === '+' || !/[+#]/.test(level)))
  );
}
