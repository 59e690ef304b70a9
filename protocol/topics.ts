// Where a command of an output of type mqtt goes: the declared topic, or one below it.

export type Topic = { readonly ok: true; readonly topic: string } | { readonly ok: false; readonly message: string };

/** MQTT counts 65,535 bytes; nobody needs them. */
const mostBytes = 2048;

export function belowTopic(declared: string, below: string | undefined): Topic {
  if (below === undefined) return { ok: true, topic: declared };
  const topic = `${declared.replace(/\/$/, '')}/${below.replace(/^\//, '')}`;
  const fault = topicFault(topic);
  return fault === undefined ? { ok: true, topic } : { ok: false, message: `The topic of the command ${fault}.` };
}

/** Why nothing can be published to it. */
export function topicFault(topic: string): string | undefined {
  if (/[+#]/.test(topic)) return 'must not contain "+" or "#", which are for those who listen';
  if (topic.includes('\0')) return 'must not contain a null character';
  if (topic.startsWith('$')) return 'must not begin with "$", which is the broker\'s own';
  if (Buffer.byteLength(topic) > mostBytes) return `must be at most ${String(mostBytes)} bytes`;
  return undefined;
}
