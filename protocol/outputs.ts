// What a service declares under `outputs`: where its commands may go. The daemon sends them; the plugin names the
// output and has no socket, no retry loop and no credential. Each type is one schema here.
import * as z from 'zod';
import { longestMs } from './durations.ts';
import { localName, pluginId } from './identifiers.ts';
import { mqttSession, mqttUrl, topicName } from './mqtt.ts';
import { type CredentialSchema, type SourceType, auth, credentialFile, environmentName, mqttAuth } from './sources.ts';

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

const attemptMs = z.int().min(100).max(600_000).default(30_000).describe('one attempt');

const httpUrl = z.string().max(2000).refine(isHttpUrl, 'must be an http: or https: URL without a user and without "#"');

const httpOutput = (credential: CredentialSchema) =>
  z.strictObject({
    ...shared,
    type: z.literal('http'),
    url: httpUrl.describe('where commands go; their path is resolved below it, and redirects are not followed'),
    method: z.enum(['POST', 'PUT', 'PATCH']).default('POST'),
    auth: auth(credential).optional(),
    timeoutMs: attemptMs,
  });

const websocketOutput = z.strictObject({
  ...shared,
  type: z.literal('websocket'),
  source: localName.describe('a source of the service, of type websocket: commands are sent to its peer'),
});

const workerOutput = z.strictObject({
  ...shared,
  type: z.literal('worker'),
  profile: z
    .string()
    .min(1)
    .max(256)
    .describe('what the workers run, such as example.chat:chat; one worker for each key'),
  answer: answer.optional(),
});

const mqttOutput = (credential: CredentialSchema) =>
  z.strictObject({
    ...shared,
    type: z.literal('mqtt'),
    url: mqttUrl.describe('of the broker; mqtts: is encrypted'),
    topic: topicName.describe('where commands go; the topic of a command is below it'),
    auth: mqttAuth(credential).optional(),
    ...mqttSession,
    qos: mqttSession.qos.describe('1: delivered when the broker has acknowledged it; 0: when it is sent'),
    retain: z.boolean().default(false).describe('the broker keeps the newest for whoever listens later'),
    timeoutMs: attemptMs,
  });

const outputWith = (credential: CredentialSchema) =>
  z.discriminatedUnion('type', [
    httpOutput(credential),
    websocketOutput,
    eventOutput,
    workerOutput,
    toolOutput,
    mqttOutput(credential),
  ]);

/** As a manifest declares it. */
export const output = outputWith(environmentName);
/** As it is once the operator's overrides are applied. */
export const operatorOutput = outputWith(z.union([environmentName, credentialFile]));
export type Output = z.output<typeof operatorOutput>;
export type OutputType = Output['type'];
export type HttpOutputSection = Extract<Output, { type: 'http' }>;
export type EventOutputSection = Extract<Output, { type: 'event' }>;
export type ToolOutputSection = Extract<Output, { type: 'tool' }>;
export type WebsocketOutputSection = Extract<Output, { type: 'websocket' }>;
export type WorkerOutputSection = Extract<Output, { type: 'worker' }>;
export type MqttOutputSection = Extract<Output, { type: 'mqtt' }>;
export const outputTypes = [
  'http',
  'websocket',
  'event',
  'worker',
  'tool',
  'mqtt',
] as const satisfies readonly OutputType[];

function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, hash } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '' && hash === '' && !text.includes('#');
}

interface Entrance {
  readonly name: string;
  readonly kinds: readonly string[];
}

interface Surroundings {
  readonly ingresses: readonly Entrance[];
  readonly sources: readonly { readonly name: string; readonly type: SourceType }[];
}

interface OutputIssue {
  readonly path: (string | number)[];
  readonly message: string;
}

/** What is wrong with the outputs of a service as a whole, by the path below `outputs`. */
export function outputIssues(outputs: readonly Output[], surroundings: Surroundings): OutputIssue[] {
  return outputs.flatMap((one, at) => {
    if (outputs.findIndex(({ name }) => name === one.name) !== at)
      return [{ path: [at, 'name'], message: `two outputs have the name ${one.name}` }];
    if (one.type === 'websocket') return sourceIssue(at, one.source, surroundings);
    return 'answer' in one && one.answer !== undefined ? answerIssue(at, one.answer, surroundings) : [];
  });
}

function sourceIssue(at: number, source: string, { sources }: Surroundings): OutputIssue[] {
  const names = sources.filter(({ type }) => type === 'websocket').map(({ name }) => name);
  if (names.includes(source)) return [];
  const there = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;
  return [{ path: [at, 'source'], message: `is no source of the service of type websocket; ${there}` }];
}

function answerIssue(
  at: number,
  { ingress, kind }: { readonly ingress: string; readonly kind: string },
  { ingresses }: Surroundings,
): OutputIssue[] {
  const entrance = ingresses.find(({ name }) => name === ingress);
  if (entrance === undefined)
    return [
      {
        path: [at, 'answer', 'ingress'],
        message: `is no ingress of the service; it has ${ingresses.map(({ name }) => name).join(', ')}`,
      },
    ];
  if (entrance.kinds.includes(kind)) return [];
  return [
    {
      path: [at, 'answer', 'kind'],
      message: `is no kind of the ingress ${ingress}; it has ${entrance.kinds.join(', ')}`,
    },
  ];
}
