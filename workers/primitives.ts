// The cell's own references to what it needs, taken before the plugin is imported: a plugin that patches JSON,
// MessagePort or the clock then hurts only itself.
import { MessagePort } from 'node:worker_threads';
import type { TextWriter } from '../protocol/cell/text-writer.ts';

const { parse, stringify } = JSON;
const { apply } = Reflect;
// Bound to each port by `apply` below.
const portPostMessage = MessagePort.prototype.postMessage;

export const parseJson: (text: string) => unknown = parse;
export const stringifyJson: (
  value: unknown,
  replacer?: (key: string, value: unknown) => unknown,
) => string | undefined = stringify;
export const captured = {
  setTimeout: globalThis.setTimeout,
  setInterval: globalThis.setInterval,
  setImmediate: globalThis.setImmediate,
  byteLength: Buffer.byteLength.bind(Buffer),
  wallMs: Date.now.bind(Date),
} as const;

/** What `buffer.write` comes down to; the types do not know it. */
export const writeText = Reflect.get(Buffer.prototype, 'utf8Write') as TextWriter;
const writeAscii = Reflect.get(Buffer.prototype, 'latin1Write') as TextWriter;
const allocate = Buffer.allocUnsafeSlow.bind(Buffer);
// Every typed array has it from its prototype's prototype.
const memoryOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype) as object, 'buffer')
  ?.get as (this: Uint8Array) => ArrayBuffer;

/** A text as UTF-8 of so many bytes, in memory of its own that can be handed over. */
export function utf8Of(text: string, length: number): { readonly bytes: Uint8Array; readonly memory: ArrayBuffer } {
  const bytes = allocate(length);
  // As many bytes as characters: all of them are ASCII.
  const written = apply(text.length === length ? writeAscii : writeText, bytes, [text, 0, length]);
  // What the memory held before must not get out.
  if (written !== length) throw new Error('a text is not as long as it was said to be');
  return { bytes, memory: apply(memoryOf, bytes, []) };
}

/** A way to post on a port that no later change to the port's prototype can reach. */
export type Poster<Message> = (message: Message, handedOver?: readonly ArrayBuffer[]) => void;

export function posterOf(port: MessagePort): Poster<unknown> {
  return (message, handedOver) => {
    apply(portPostMessage, port, [message, handedOver]);
  };
}
