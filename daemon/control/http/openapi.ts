// The HTTP side of the operation table as an OpenAPI 3.1 document, derived from it and from the error registry.
import * as z from 'zod';
import type { ErrorCode } from '../../../protocol/errors.ts';
import { type Operation, commonErrors } from '../../../protocol/operation.ts';
import { type OperationName, operationNames, operations } from '../../../protocol/operations.ts';
import { feedNotification } from '../../../protocol/operations/telemetry.ts';
import { workerEvent } from '../../../protocol/runtime.ts';
import { parameterOf } from './http-routes.ts';
import { refusalComponents, refusals } from './openapi-refusals.ts';

/** A JSON Schema or a part of the document; it is only ever encoded. */
type Json = Record<string, unknown>;

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, Json>>;
  readonly required?: readonly string[];
}

/** There is no usual one: it stands for what the configuration says. */
const samplePort = '7979';
const socketServer: Json = {
  url: 'http://localhost',
  description:
    'The unix socket, for example with curl --unix-socket PATH. The mode of its file says who may use it; there is no token.',
};
const browserServer: Json = {
  url: 'http://127.0.0.1:{port}',
  description:
    'The listener for browsers, where the configuration has one: operations whose x-audience is browser with a token or a session, and those whose x-audience is operator with a session that `nagaya console` opened.',
  variables: { port: { default: samplePort, description: 'http.port of the configuration' } },
};

/** What the answers that go on hold: the name of the schema, and where one can be taken up again. */
interface Streamed {
  readonly data: string;
  readonly says: string;
  readonly resumes: boolean;
}
const streamed: Partial<Record<OperationName, Streamed>> = {
  'events.subscribe': { data: 'FeedNotification', says: 'id is the sequence, event the topic', resumes: false },
  'worker.events': { data: 'WorkerEvent', says: 'id is the cursor, event the type', resumes: true },
};
const streamedSchemas = (): Json => ({
  FeedNotification: schemaOf(feedNotification, 'output'),
  WorkerEvent: schemaOf(workerEvent, 'output'),
});
const lastEventId: Json = {
  name: 'Last-Event-ID',
  in: 'header',
  required: false,
  description: 'the id of the last event that was seen, as browsers send it by themselves; stands for `after`',
  schema: { type: 'string' },
};

/** None on the socket; on the listener for browsers one of the others. */
const browserSecurity = [{}, { token: [] }, { session: [] }];
/** On the port only the session of a link of `nagaya console` may call them. */
const operatorSecurity = [{}, { session: [] }];
const browserErrors = ['unauthorized', 'forbidden'] as const satisfies readonly ErrorCode[];
const securitySchemes = {
  token: {
    type: 'http',
    scheme: 'bearer',
    description: 'http.token of the configuration, or http.readToken, which may only read',
  },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: `nagaya_session_${samplePort}`,
    description: 'A browser that a link of browser.link signed in; the name ends in the port',
  },
};

export function openApi(version: string): Json {
  const paths: Record<string, Json> = {};
  for (const name of operationNames) {
    const row: Operation = operations[name];
    (paths[row.http.path] ??= {})[row.http.method.toLowerCase()] = operationObject(name, row);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Nagaya',
      version,
      description:
        'The control surface of a Nagaya daemon: every operation is also a method of JSON-RPC 2.0 on the same unix socket, under its operationId. What GET answers, HEAD answers without a body. A path that does not take the method answers 405, an expectation that is not met 417.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [socketServer],
    tags: [...new Set(operationNames.map(tagOf))].map((tag) => ({ name: tag })),
    paths,
    components: {
      ...refusalComponents,
      schemas: { ...refusalComponents.schemas, ...streamedSchemas() },
      securitySchemes,
    },
  };
}

function operationObject(name: OperationName, row: Operation): Json {
  const params = schemaOf(row.params, 'input') as ObjectSchema;
  const inPath = row.http.path.split('/').flatMap((segment) => parameterOf(segment) ?? []);
  const others = Object.keys(params.properties ?? {}).filter((key) => !inPath.includes(key));
  const inBody = row.http.method === 'POST';
  const onPort = row.audience !== 'control';
  const security = row.audience === 'operator' ? operatorSecurity : browserSecurity;
  return {
    operationId: name,
    summary: row.summary,
    tags: [tagOf(name)],
    'x-audience': row.audience,
    ...(onPort ? { servers: [socketServer, browserServer], security } : { security: [] }),
    parameters: [
      ...inPath.map((key) => parameter(params, key, 'path')),
      ...(inBody ? [] : others.map((key) => parameter(params, key, 'query'))),
      ...(streamed[name]?.resumes === true ? [lastEventId] : []),
    ],
    ...(inBody ? { requestBody: requestBody(params, others) } : {}),
    responses: {
      200: success(name, row),
      ...refusals([...commonErrors, ...row.errors, ...(onPort ? browserErrors : [])]),
    },
  };
}

function parameter(params: ObjectSchema, key: string, place: 'path' | 'query'): Json {
  const schema = params.properties?.[key] ?? {};
  const required = place === 'path' || params.required?.includes(key) === true;
  const described = typeof schema['description'] === 'string' ? { description: schema['description'] } : {};
  // A list is its key repeated, or its members with commas between them.
  const style = place === 'query' && schema['type'] === 'array' ? { style: 'form', explode: true } : {};
  return { name: key, in: place, required, ...described, ...style, schema };
}

function requestBody(params: ObjectSchema, keys: readonly string[]): Json {
  const required = keys.filter((key) => params.required?.includes(key) === true);
  const properties = Object.fromEntries(keys.map((key) => [key, params.properties?.[key] ?? {}]));
  const schema = {
    type: 'object',
    properties,
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  };
  return { required: required.length > 0, content: { 'application/json': { schema } } };
}

function success(name: OperationName, row: Operation): Json {
  const stream = streamed[name];
  if (stream === undefined)
    return { description: row.summary, content: { 'application/json': { schema: schemaOf(row.result, 'output') } } };
  const schema = {
    type: 'string',
    description: `Server-sent events: ${stream.says}, data the JSON that x-data describes`,
  };
  return {
    description: row.summary,
    content: { 'text/event-stream': { schema, 'x-data': { $ref: `#/components/schemas/${stream.data}` } } },
  };
}

const tagOf = (name: OperationName): string => name.split('.')[0] ?? name;

/** Inside an OpenAPI document the dialect is known. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}
