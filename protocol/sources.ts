// What a service declares under `sources`: where its events come from. The host runs them; the plugin has no socket, no
// signature check and no credential. Each type is one schema here.
import * as z from 'zod';
import { cronFault } from './cron.ts';
import { longestMs } from './durations.ts';
import { localName } from './identifiers.ts';
import { mqttSession, mqttUrl, topicFilter } from './mqtt.ts';

const durationMs = (least: number, most = longestMs) => z.int().min(least).max(most);

export const environmentName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be the name of an environment variable');

/** Credentials are files only where the operator says so. */
export const credentialFile = z.strictObject({
  file: z
    .string()
    .min(1)
    .max(4096)
    .regex(/^\//, 'must be an absolute path')
    .describe('a file of mode 0600 that holds the credential; only in the overrides of the configuration'),
});

const headerName = z.string().regex(/^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/, 'must be the name of a header in lower case');
const headerText = z.string().regex(/^[\x20-\x7e]{0,64}$/, 'must be at most 64 printable characters of ASCII');

/** What of a request says where it goes and where it ends. */
const ofHttp: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'expect',
  'te',
  'trailer',
  'upgrade',
]);
const takenFromBody = z.strictObject({
  body: z
    .string()
    .max(256)
    .regex(/^(?:\/(?:[^/~]|~[01])*)+$/, 'must be a JSON pointer such as /action'),
});
const taken = z.union([z.strictObject({ header: headerName }), takenFromBody]);
const orderKey = 'the key of the event: with the placement shared, events of one key are handled in order';

/** How a credential is found: a manifest names a variable, the operator's overrides may name a file. */
export type CredentialName = string | z.output<typeof credentialFile>;
export type CredentialSchema = z.ZodType<CredentialName, CredentialName>;

const toleranceMs = durationMs(1000, 86_400_000)
  .default(300_000)
  .describe('how far the time of a signature may be from now');

const secretNames = (credential: CredentialSchema) =>
  z
    .array(credential)
    .min(1)
    .max(2)
    .describe('variables of the daemon that hold the secret; two while the sender changes from one to the other');

const hmacFields = {
  scheme: z.literal('hmac'),
  header: headerName.describe('where the signature stands'),
  algorithm: z.enum(['sha1', 'sha256', 'sha512']).default('sha256'),
  encoding: z.enum(['hex', 'base64']).default('hex'),
  prefix: headerText.default('').describe('what stands before the signature, such as sha256='),
  timestamp: z
    .strictObject({ header: headerName, unit: z.enum(['s', 'ms']).default('s') })
    .optional()
    .describe('the header with the time of the signature; copies of a request are refused only where there is one'),
  idHeader: headerName.optional().describe("the header with the sender's id, where the signature covers it"),
  content: z
    .string()
    .max(256)
    .refine((text) => text.includes('{body}'), 'must contain {body}')
    .default('{body}')
    .describe('what is signed: {body}, {timestamp} and {id} stand for what came'),
  toleranceMs,
};

function verification(credential: CredentialSchema) {
  const secretEnv = secretNames(credential);
  const signed = <Scheme extends string>(scheme: Scheme) =>
    z.strictObject({ scheme: z.literal(scheme), secretEnv, toleranceMs });
  return z
    .discriminatedUnion('scheme', [
      signed('github'),
      signed('stripe'),
      signed('slack'),
      signed('standard-webhooks'),
      z.strictObject({ ...hmacFields, secretEnv }),
      z.strictObject({ scheme: z.literal('bearer'), secretEnv }),
      z.strictObject({ scheme: z.literal('none') }),
    ])
    .describe('how the sender proves itself; `none` must be written');
}

const shared = {
  name: localName.describe('how everybody names the source'),
  ingress: localName.describe('where its events go'),
};
const kind = localName.describe('of its events');

export const auth = (credential: CredentialSchema) =>
  z.strictObject({
    header: headerName
      .refine((name) => !ofHttp.has(name), 'must not be a header that HTTP itself needs')
      .default('authorization')
      .describe('the header that carries the credential'),
    prefix: headerText.default('').describe('what stands before it, such as "Bearer "'),
    env: credential.describe('the variable of the daemon that holds it'),
  });

const webhookSource = (credential: CredentialSchema) =>
  z.strictObject({
    ...shared,
    type: z.literal('webhook'),
    kind: kind.optional().describe('of its events; with kindFrom, of those for which that finds nothing'),
    verify: verification(credential),
    kindFrom: taken.optional().describe('the header, or the place in the body, that names the kind'),
    idFrom: taken
      .optional()
      .describe("the header, or the place in the body, with the sender's id: what comes twice is accepted once"),
    keyFrom: taken.optional().describe(`the header, or the place in the body, with ${orderKey}`),
    headers: z
      .array(headerName)
      .max(32)
      .default([])
      .describe('headers that the payload holds; those that prove who sends never are'),
    answer: z
      .enum(['accepted', 'output'])
      .default('accepted')
      .describe("accepted: 202 once the event is accepted; output: 200 with the handler's output"),
    answerMs: durationMs(100, 600_000).default(10_000).describe('with output: how long the handler may take in all'),
  });

const messageBytes = 16_384;
const message = z
  .unknown()
  .refine(
    (value) => JSON.stringify(value ?? null).length <= messageBytes,
    `must be at most ${String(messageBytes)} bytes`,
  );
const messages = z.array(message).max(16).default([]);

/** Of connections that the daemon makes to somebody. */
const connectMs = durationMs(100, 600_000).default(10_000).describe('a connection must be open by then');
const heartbeatFields = {
  everyMs: durationMs(100).default(30_000).describe('how often the peer is asked for a sign of life'),
  expectMs: durationMs(100).default(60_000).describe('a peer that was silent for so long is dead'),
};
const reconnect = z
  .strictObject({
    backoffMs: z
      .tuple([durationMs(10), durationMs(10)])
      .default([500, 30_000])
      .describe('least and most; doubles with failures in a row, with full jitter'),
  })
  .prefault({});

const websocketSource = (credential: CredentialSchema) =>
  z.strictObject({
    ...shared,
    type: z.literal('websocket'),
    kind: kind.optional().describe('of its events; with kindFrom, of those for which that finds nothing'),
    url: z
      .string()
      .max(2000)
      .regex(/^wss?:\/\/[^\s@#]+$/, 'must be a ws: or wss: URL without a credential')
      .refine((url) => URL.canParse(url), 'is no URL'),
    auth: auth(credential).optional(),
    protocols: z
      .array(z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be the name of a subprotocol'))
      .max(8)
      .refine((names) => new Set(names).size === names.length, 'must not name one twice')
      .default([])
      .describe('subprotocols that the peer is offered'),
    kindFrom: takenFromBody.optional().describe('the place in a message that names the kind'),
    idFrom: takenFromBody
      .optional()
      .describe("the place in a message with the sender's id: what comes twice is accepted once"),
    keyFrom: takenFromBody.optional().describe(`the place in a message with ${orderKey}`),
    hello: messages.describe(
      'messages that are sent when the connection is open; {env} in a text stands for the credential',
    ),
    resume: z
      .strictObject({
        from: takenFromBody.describe('the place in a message with its position, such as a sequence number'),
        messages: messages.describe(
          'sent in place of hello once a message with a position was accepted; {position} stands for the newest',
        ),
      })
      .optional()
      .describe('how a new connection goes on where the last one ended'),
    connectMs,
    heartbeat: z
      .strictObject({ ...heartbeatFields, message: message.optional().describe('what is sent; absent: a ping frame') })
      .prefault({}),
    reconnect,
    finalCodes: z
      .array(z.int().min(1000).max(4999))
      .max(64)
      .default([])
      .describe('close codes after which no other connection is tried, beside 1002, 1003, 1007, 1008, 1009 and 1010'),
  });

const timeZone = z.string().max(64).refine(isTimeZone, 'must be a time zone such as Europe/Berlin');

const scheduleSource = z.strictObject({
  ...shared,
  type: z.literal('schedule'),
  kind,
  cron: z
    .string()
    .max(200)
    .superRefine((text, context) => {
      const fault = cronFault(text);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
    })
    .describe('minute, hour, day of the month, month, day of the week; with six fields the first is the second'),
  timezone: timeZone.default('UTC'),
  missed: z
    .enum(['skip', 'once', 'all'])
    .default('once')
    .describe('runs that fell into a time in which the daemon or the service did not run: none, the last, or all'),
  withinMs: durationMs(0, 365 * 86_400_000)
    .optional()
    .describe('a missed run that is older is not made up for; absent: limits.withinMs'),
});

const filesSource = z.strictObject({
  ...shared,
  type: z.literal('files'),
  kind,
  paths: z
    .array(z.string().min(1).max(4096))
    .min(1)
    .max(16)
    .describe("folders that are watched, those below them not; relative to the plugin's folder"),
  maxFiles: z
    .int()
    .min(1)
    .max(100_000)
    .default(10_000)
    .describe('files in these folders together; those beyond are not looked at'),
  settleMs: durationMs(50, 3_600_000).default(1000).describe('a file that has not changed for so long is whole'),
});

export const mqttAuth = (credential: CredentialSchema) =>
  z.strictObject({
    username: z.string().min(1).max(256).optional(),
    env: credential.describe('the variable of the daemon that holds the password'),
  });

const mqttSource = (credential: CredentialSchema) =>
  z.strictObject({
    ...shared,
    type: z.literal('mqtt'),
    kind,
    url: mqttUrl.describe('of the broker; mqtts: is encrypted'),
    auth: mqttAuth(credential).optional(),
    topics: z.array(topicFilter).min(1).max(64).describe('"+" stands for one level, "#" for the rest'),
    ...mqttSession,
    qos: mqttSession.qos.describe('1: the broker keeps a message until its event is accepted; 0: it does not'),
    idFrom: takenFromBody
      .optional()
      .describe("the place in a message with the sender's id: what comes twice is accepted once"),
    keyFrom: takenFromBody.optional().describe(`the place in a message with ${orderKey}`),
    connectMs,
    heartbeat: z.strictObject({ everyMs: heartbeatFields.everyMs, expectMs: heartbeatFields.expectMs }).prefault({}),
    reconnect,
  });

const sourceWith = (credential: CredentialSchema) =>
  z.discriminatedUnion('type', [
    webhookSource(credential),
    websocketSource(credential),
    scheduleSource,
    filesSource,
    mqttSource(credential),
  ]);

/** As a manifest declares it. */
export const source = sourceWith(environmentName);
/** As it is once the operator's overrides are applied. */
export const operatorSource = sourceWith(z.union([environmentName, credentialFile]));
export type Source = z.output<typeof source>;
export type SourceType = Source['type'];
export type WebhookSource = Extract<Source, { type: 'webhook' }>;
export type WebsocketSource = Extract<Source, { type: 'websocket' }>;
export type ScheduleSource = Extract<Source, { type: 'schedule' }>;
export type FilesSource = Extract<Source, { type: 'files' }>;
export type MqttSource = Extract<Source, { type: 'mqtt' }>;
export const sourceTypes = [
  'webhook',
  'websocket',
  'schedule',
  'files',
  'mqtt',
] as const satisfies readonly SourceType[];

interface Entrance {
  readonly name: string;
  readonly kinds: readonly string[];
}

/** What is wrong with the sources of a service as a whole, by the path below `sources`. */
export function sourceIssues(
  sources: readonly Source[],
  ingresses: readonly Entrance[],
): { readonly path: (string | number)[]; readonly message: string }[] {
  return sources.flatMap((one, at) => {
    const entrance = ingresses.find(({ name }) => name === one.ingress);
    if (sources.findIndex(({ name }) => name === one.name) !== at)
      return [{ path: [at, 'name'], message: `two sources have the name ${one.name}` }];
    if (entrance === undefined)
      return [
        {
          path: [at, 'ingress'],
          message: `is no ingress of the service; it has ${ingresses.map(({ name }) => name).join(', ')}`,
        },
      ];
    if (one.kind !== undefined && !entrance.kinds.includes(one.kind))
      return [
        {
          path: [at, 'kind'],
          message: `is no kind of the ingress ${one.ingress}; it has ${entrance.kinds.join(', ')}`,
        },
      ];
    if ((one.type === 'webhook' || one.type === 'websocket') && one.kind === undefined && one.kindFrom === undefined)
      return [{ path: [at, 'kind'], message: 'is missing; give kind, or kindFrom' }];
    if (one.type === 'webhook' && one.answer === 'output' && one.keyFrom !== undefined)
      return [{ path: [at, 'keyFrom'], message: 'is for requests that are answered with "accepted"' }];
    return [];
  });
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    // Whatever it is, no clock goes by it.
    return false;
  }
}

/** One name for a source among those of all plugins, whose ids hold no slash. */
export const sourceKey = (plugin: string, name: string): string => `${plugin}/${name}`;
