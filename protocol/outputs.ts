// What a service declares under `outputs`: where its commands may go. The daemon sends them; the plugin names the
// output and has no socket, no retry loop and no credential. Each type is one schema here.
import * as z from 'zod';
import { longestMs } from './durations.ts';
import { localName, pluginId } from './identifiers.ts';
import { type CredentialSchema, auth, credentialFile, environmentName } from './sources.ts';

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

const httpUrl = z.string().max(2000).refine(isHttpUrl, 'must be an http: or https: URL without a user and without "#"');

const httpOutput = (credential: CredentialSchema) =>
  z.strictObject({
    ...shared,
    type: z.literal('http'),
    url: httpUrl.describe('where commands go; their path is resolved below it, and redirects are not followed'),
    method: z.enum(['POST', 'PUT', 'PATCH']).default('POST'),
    auth: auth(credential).optional(),
    timeoutMs: z.int().min(100).max(600_000).default(30_000).describe('one attempt'),
  });

const outputWith = (credential: CredentialSchema) =>
  z.discriminatedUnion('type', [httpOutput(credential), eventOutput, toolOutput]);

/** As a manifest declares it. */
export const output = outputWith(environmentName);
/** As it is once the operator's overrides are applied. */
export const operatorOutput = outputWith(z.union([environmentName, credentialFile]));
export type Output = z.output<typeof operatorOutput>;
export type OutputType = Output['type'];
export type HttpOutputSection = Extract<Output, { type: 'http' }>;
export type EventOutputSection = Extract<Output, { type: 'event' }>;
export type ToolOutputSection = Extract<Output, { type: 'tool' }>;

function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, hash } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '' && hash === '' && !text.includes('#');
}

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
