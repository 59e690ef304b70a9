// The HTTP side of the operations: finds the route, puts the parameters together, calls the operation and writes what
// it answered. It knows nothing of sockets, so that any listener can stand in front of it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { HostError, asHostError } from '../../../protocol/errors.ts';
import { EncodedJson, encodeJson } from '../../../protocol/json-rpc.ts';
import type { Audience } from '../../../protocol/operation.ts';
import type { Limits } from '../../config/schema.ts';
import type { ControlLog } from '../control-log.ts';
import type { Documents } from './documents.ts';
import { EventStream } from './event-stream.ts';
import { sendJson, sendProblem } from './http-answer.ts';
import { type BodyBound, type BodyBounds, hasBody, readJsonBody } from './http-body.ts';
import { Deferred } from '../../operations/deferred.ts';
import type { HalfLines } from '../half-lines.ts';
import { HttpCaller, type HttpPeer } from './http-caller.ts';
import { HttpRoutes, type Route, type RouteMatch } from './http-routes.ts';
import type { McpGateway } from '../../mcp/mcp-gateway.ts';
import { mcpMethods, mcpPath, serveMcp } from '../mcp/mcp-http.ts';
import type { OperationCalls } from '../operation-calls.ts';
import type { Projection } from '../projection.ts';
import { type Reports, isReportPath, sendReport } from './reports.ts';

export interface HttpApiOptions {
  readonly calls: OperationCalls;
  readonly documents: Documents;
  readonly limits: Pick<Limits, 'nesting'>;
  readonly body: BodyBound;
  readonly halfLines: HalfLines;
  readonly log: ControlLog;
  readonly allowedAudiences: readonly Audience[];
  readonly projection: Projection;
  /** Of callers whose audience is the operator. */
  readonly operatorProjection?: Projection;
  readonly reports: Reports;
  readonly mcp: McpGateway;
  /** Of the answers to MCP clients. */
  readonly answerBytes: number;
}

export class HttpApi {
  readonly #options: HttpApiOptions;
  readonly #routes = new HttpRoutes();

  constructor(options: HttpApiOptions) {
    this.#options = options;
  }

  /** Never rejects: whatever goes wrong is the answer. */
  async handle(request: IncomingMessage, response: ServerResponse, peer: HttpPeer): Promise<void> {
    try {
      await this.#answer(request, response, peer);
    } catch (thrown) {
      const error = asHostError(thrown);
      if (error !== thrown)
        this.#options.log.error({ err: thrown, path: pathOf(request) }, 'an operation failed unexpectedly');
      if (response.headersSent) response.destroy();
      else sendProblem(response, this.#projectionFor(peer).error(error));
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse, peer: HttpPeer): Promise<void> {
    const method = request.method ?? 'GET';
    const path = pathOf(request);
    if (path === mcpPath && mcpMethods.includes(method)) {
      const { mcp, body, halfLines, answerBytes } = this.#options;
      await serveMcp(mcp, { body, halfLines, answerBytes }, { request, response, peer });
      return;
    }
    const document = this.#options.documents.find(path);
    const found =
      document !== undefined || isReportPath(path)
        ? { allow: ['GET', 'HEAD'], match: undefined }
        : path === mcpPath
          ? { allow: mcpMethods, match: undefined }
          : this.#routes.find(method, path);
    if (found === undefined)
      throw new HostError('method_not_found', `There is nothing at ${shown(path)}; see /api/openapi.json.`, {
        path: shown(path),
      });
    if (document !== undefined && found.allow.includes(method)) {
      sendJson(response, document());
    } else if (isReportPath(path) && found.allow.includes(method)) {
      sendReport(path, this.#options.reports, response);
    } else if (found.match === undefined) {
      const error = new HostError('method_not_found', `${shown(path)} does not take ${method}.`, {
        path: shown(path),
        allow: found.allow,
      });
      sendProblem(response, this.#options.projection.error(error), {
        status: 405,
        headers: { allow: found.allow.join(', ') },
      });
    } else {
      await this.#operate(found.match, request, response, peer);
    }
  }

  async #operate(
    { route, pathParams }: RouteMatch,
    request: IncomingMessage,
    response: ServerResponse,
    peer: HttpPeer,
  ): Promise<void> {
    const { audience } = route.row;
    if (!this.#options.allowedAudiences.includes(audience) || (audience === 'operator' && peer.audience === 'browser'))
      throw new HostError('forbidden', `${route.name} is not for this caller.`);
    const { calls, limits, body, halfLines } = this.#options;
    const projection = this.#projectionFor(peer);
    const given =
      route.row.http.method === 'POST'
        ? await bodyParams(request, response, { ...body, nesting: limits.nesting, halfLines })
        : queryParams(route, request);
    const params = keyed(route, merged(given, pathParams), request);
    if (route.row.stream === true) {
      await this.#stream(route, params, request, response, peer);
      return;
    }
    const answer = calls.call(route.name, params, new HttpCaller(peer, response));
    // The next request on its connection is taken after this one anyway.
    const result = await (answer instanceof Deferred ? answer.promise : answer);
    const projected = projection.result(route.row, result);
    sendJson(response, projected instanceof EncodedJson ? projected : encodeJson(projected));
  }

  #projectionFor({ audience }: HttpPeer): Projection {
    const { projection, operatorProjection } = this.#options;
    return audience === 'operator' ? (operatorProjection ?? projection) : projection;
  }

  async #stream(
    route: Route,
    params: Record<string, unknown>,
    request: IncomingMessage,
    response: ServerResponse,
    peer: HttpPeer,
  ): Promise<void> {
    const stream = new EventStream(response);
    peer.beginStream(stream);
    await this.#options.calls.call(
      route.name,
      resumed(route, params, request),
      new HttpCaller(peer, response, { stream, projection: this.#projectionFor(peer) }),
    );
    stream.open();
    if (request.method === 'HEAD') stream.end();
  }
}

/** A proxy names the whole address; what stands before its path does not matter here. */
const targetOf = (request: IncomingMessage): string => (request.url ?? '/').replace(/^https?:\/\/[^/?]*/i, '');

const pathOf = (request: IncomingMessage): string => targetOf(request).split('?', 1)[0] ?? '';

const queryOf = (request: IncomingMessage): string => targetOf(request).slice(pathOf(request).length + 1);

const shown = (path: string): string => (path.length > 200 ? `${path.slice(0, 200)}…` : path);

async function bodyParams(
  request: IncomingMessage,
  response: ServerResponse,
  bounds: BodyBounds,
): Promise<Record<string, unknown>> {
  if (queryOf(request) !== '')
    throw new HostError('invalid_request', 'The parameters of a POST stand in its body, not in the query.');
  return await readJsonBody(request, response, bounds);
}

function queryParams(route: Route, request: IncomingMessage): Record<string, unknown> {
  if (hasBody(request))
    throw new HostError(
      'invalid_request',
      `The parameters of a ${route.row.http.method} stand in its query, not in a body.`,
    );
  return route.query.read(new URLSearchParams(queryOf(request)));
}

/** A browser that connects again repeats the address, and says in a header what it has seen since. */
function resumed(route: Route, params: Record<string, unknown>, request: IncomingMessage): Record<string, unknown> {
  const seen = request.headers['last-event-id'];
  return typeof seen === 'string' && seen !== '' && Object.hasOwn(route.row.params.shape, 'after')
    ? { ...params, after: seen }
    : params;
}

/** The key of an event may stand in a header, as other services take it. */
function keyed(route: Route, params: Record<string, unknown>, request: IncomingMessage): Record<string, unknown> {
  const key = request.headers['idempotency-key'];
  if (key === undefined || (route.name !== 'ingress.publish' && route.name !== 'ingress.deliver')) return params;
  const { event } = params;
  if (typeof event !== 'object' || event === null || Array.isArray(event))
    throw new HostError('invalid_request', 'The header Idempotency-Key is for a single event: give `event`.', {
      issues: [{ path: 'event', message: 'must be an event where the header Idempotency-Key is given' }],
    });
  const own = (event as Readonly<Record<string, unknown>>)['idempotencyKey'];
  if (own !== undefined && own !== key)
    throw new HostError('invalid_request', 'idempotencyKey is given by the header and again, differently.', {
      issues: [{ path: 'event.idempotencyKey', message: 'differs from the header Idempotency-Key' }],
    });
  return { ...params, event: { ...event, idempotencyKey: key } };
}

/** A parameter of the path may be repeated, but not contradicted. */
function merged(
  given: Record<string, unknown>,
  pathParams: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  for (const [name, value] of Object.entries(pathParams)) {
    if (Object.hasOwn(given, name) && given[name] !== value) {
      throw new HostError('invalid_request', `${name} is given by the path and again, differently.`, {
        issues: [{ path: name, message: 'differs from the path' }],
      });
    }
  }
  return { ...given, ...pathParams };
}
