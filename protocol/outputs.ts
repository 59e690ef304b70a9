// What a service declares under `outputs`: where its commands may go. The daemon sends them; the plugin names the
// output and has no socket, no retry loop and no credential. Each type is one schema here.
import * as z from 'zod';
import { longestMs } from './durations.ts';
import { localName, pluginId } from './identifiers.ts';

const shared = {
  name: localName.describe('how the plugin names the output in ctx.send'),
  ttlMs: z
    .int()
    .min(1000)
    .max(longestMs)
    .optional()
    .describe('how long a command is tried before it is a dead letter; absent: limits.ttlMs'),
};

const answer = z
  .strictObject({ ingress: localName.describe("of the service's own"), kind: localName.describe('of the event') })
  .describe('the answer comes back as an event of the service');

const eventOutput = z.strictObject({
  ...shared,
  type: z.literal('event'),
  plugin: pluginId.describe('whose service gets the event'),
  ingress: localName.describe('of that service'),
  kind: localName.describe('of the event'),
});

const toolOutput = z.strictObject({
  ...shared,
  type: z.literal('tool'),
  plugin: pluginId.describe('whose tool is called'),
  tool: localName.describe('of that plugin; the body of the command is its input'),
  answer: answer.optional(),
});

export const output = z.discriminatedUnion('type', [eventOutput, toolOutput]);
export type Output = z.output<typeof output>;
export type OutputType = Output['type'];
export type EventOutputSection = Extract<Output, { type: 'event' }>;
export type ToolOutputSection = Extract<Output, { type: 'tool' }>;

interface Entrance {
  readonly name: string;
  readonly kinds: readonly string[];
}

/** What is wrong with the outputs of a service as a whole, by the path below `outputs`. */
export function outputIssues(
  outputs: readonly Output[],
  ingresses: readonly Entrance[],
): { readonly path: (string | number)[]; readonly message: string }[] {
  return outputs.flatMap((one, at) => {
    if (outputs.findIndex(({ name }) => name === one.name) !== at)
      return [{ path: [at, 'name'], message: `two outputs have the name ${one.name}` }];
    if (!('answer' in one) || one.answer === undefined) return [];
    const { ingress, kind } = one.answer;
    const entrance = ingresses.find(({ name }) => name === ingress);
    if (entrance === undefined)
      return [
        {
          path: [at, 'answer', 'ingress'],
          message: `is no ingress of the service; it has ${ingresses.map(({ name }) => name).join(', ')}`,
        },
      ];
    if (!entrance.kinds.includes(kind))
      return [
        {
          path: [at, 'answer', 'kind'],
          message: `is no kind of the ingress ${ingress}; it has ${entrance.kinds.join(', ')}`,
        },
      ];
    return [];
  });
}
