// The HTTP side of the operation table as an OpenAPI 3.1 document, derived from it and from the error registry.
import { z } from 'zod';
import { type ErrorCode, errorCodes, errorKinds } from '../../protocol/errors.ts';
import { type Operation, commonErrors } from '../../protocol/operation.ts';
import { type OperationName, operationNames, operations } from '../../protocol/operations.ts';
import { feedNotification } from '../../protocol/operations/telemetry.ts';
import { parameterOf } from './http-routes.ts';

/** A JSON Schema or a part of the document; it is only ever encoded. */
type Json = Record<string, unknown>;

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, Json>>;
  readonly required?: readonly string[];
}

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
      description: 'The control surface of a Nagaya daemon: every operation is also a method of JSON-RPC 2.0 on the same unix socket, under its operationId.',
    },
    servers: [{ url: 'http://localhost', description: 'The unix socket, for example with curl --unix-socket PATH' }],
    tags: [...new Set(operationNames.map(tagOf))].map((tag) => ({ name: tag })),
    paths,
    components: { schemas: { Problem: problemSchema(errorCodes), FeedNotification: schemaOf(feedNotification, 'output') } },
  };
}

function operationObject(name: OperationName, row: Operation): Json {
  const params = schemaOf(row.params, 'input') as ObjectSchema;
  const inPath = row.http.path.split('/').flatMap((segment) => parameterOf(segment) ?? []);
  const others = Object.keys(params.properties ?? {}).filter((key) => !inPath.includes(key));
  const inBody = row.http.method === 'POST';
  return {
    operationId: name,
    summary: row.summary,
    tags: [tagOf(name)],
    'x-audience': row.audience,
    parameters: [...inPath.map((key) => parameter(params, key, 'path')), ...(inBody ? [] : others.map((key) => parameter(params, key, 'query')))],
    ...(inBody ? { requestBody: requestBody(params, others) } : {}),
    responses: { 200: success(row), ...refusals([...commonErrors, ...row.errors]) },
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
  const schema = { type: 'object', properties, ...(required.length > 0 ? { required } : {}), additionalProperties: false };
  return { required: required.length > 0, content: { 'application/json': { schema } } };
}

function success(row: Operation): Json {
  if (row.stream !== true) return { description: row.summary, content: { 'application/json': { schema: schemaOf(row.result, 'output') } } };
  const schema = { type: 'string', description: 'Server-sent events: id is the sequence, event the topic, data a FeedNotification' };
  return { description: row.summary, content: { 'text/event-stream': { schema } } };
}

/** Several codes may share one status: the response names them all. */
function refusals(codes: readonly ErrorCode[]): Record<string, Json> {
  const distinct = [...new Set(codes)];
  const statuses = [...new Set(distinct.map((code) => errorKinds[code].status))];
  const response = (sharing: readonly ErrorCode[]): Json => ({
    description: sharing.map((code) => `\`${code}\`: ${errorKinds[code].meaning} ${errorKinds[code].remedy}`).join('\n\n'),
    content: { 'application/problem+json': { schema: { allOf: [{ $ref: '#/components/schemas/Problem' }, { properties: { code: { enum: sharing } } }] } } },
  });
  return Object.fromEntries(statuses.map((status) => [String(status), response(distinct.filter((code) => errorKinds[code].status === status))]));
}

function problemSchema(codes: readonly ErrorCode[]): Json {
  return {
    type: 'object',
    description: 'RFC 9457',
    required: ['type', 'title', 'status', 'detail', 'code', 'retryable', 'details'],
    properties: {
      type: { type: 'string', format: 'uri' },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string' },
      code: { enum: codes },
      retryable: { type: 'boolean', description: 'whether the same request may succeed later without being changed' },
      details: { type: 'object' },
    },
  };
}

const tagOf = (name: OperationName): string => name.split('.')[0] ?? name;

/** Inside an OpenAPI document the dialect is known. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}
