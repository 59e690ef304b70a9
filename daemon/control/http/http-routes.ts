// Which operation a method and a path mean. The routes are the operation table's own, so that no operation can be
// without one.
import { HostError } from '../../../protocol/errors.ts';
import type { Operation } from '../../../protocol/operation.ts';
import { type OperationName, operationNames, operations } from '../../../protocol/operations.ts';
import { QueryReader } from './http-query.ts';

export interface Route {
  readonly name: OperationName;
  readonly row: Operation;
  readonly query: QueryReader;
}

export interface RouteMatch {
  readonly route: Route;
  readonly pathParams: Readonly<Record<string, unknown>>;
}

/** The path is known; with `match` absent it does not take the method. */
export interface PathMatch {
  readonly allow: readonly string[];
  readonly match: RouteMatch | undefined;
}

interface PathRoutes {
  readonly segments: readonly string[];
  readonly byMethod: Map<string, Route>;
}

const parameterForm = /^\{(\w+)\}$/;

/** The name of the parameter a segment stands for; undefined for one that stands for itself. */
export const parameterOf = (segment: string): string | undefined => parameterForm.exec(segment)?.[1];

export class HttpRoutes {
  readonly #paths: PathRoutes[] = [];

  constructor() {
    const byPath = new Map<string, PathRoutes>();
    for (const name of operationNames) {
      const row: Operation = operations[name];
      const path = byPath.get(row.http.path) ?? {
        segments: row.http.path.split('/'),
        byMethod: new Map<string, Route>(),
      };
      path.byMethod.set(row.http.method, { name, row, query: new QueryReader(row) });
      byPath.set(row.http.path, path);
    }
    this.#paths = [...byPath.values()].sort((one, other) => parameters(one) - parameters(other));
  }

  /** Undefined for a path that nothing has. */
  find(method: string, path: string): PathMatch | undefined {
    const given = path.split('/');
    const found = this.#paths.find(({ segments }) => fits(segments, given));
    if (found === undefined) return undefined;
    // What GET answers, HEAD answers without a body.
    const route = found.byMethod.get(method === 'HEAD' ? 'GET' : method);
    const allow = [...found.byMethod.keys()].flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name]));
    return {
      allow,
      match: route === undefined ? undefined : { route, pathParams: readPath(route, found.segments, given) },
    };
  }
}

const parameters = (path: PathRoutes): number =>
  path.segments.filter((segment) => parameterOf(segment) !== undefined).length;

function fits(segments: readonly string[], given: readonly string[]): boolean {
  return (
    segments.length === given.length &&
    segments.every(
      (segment, index) => segment === given[index] || (given[index] !== '' && parameterOf(segment) !== undefined),
    )
  );
}

function readPath(route: Route, segments: readonly string[], given: readonly string[]): Record<string, unknown> {
  const params: Record<string, unknown> = {};
  for (const [index, segment] of segments.entries()) {
    const name = parameterOf(segment);
    if (name !== undefined) params[name] = route.query.readOne(name, decoded(given[index] ?? ''));
  }
  return params;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    // The reader of the answer gets the segment itself, which says more than the engine's own words.
    throw new HostError(
      'invalid_request',
      `The path's segment ${JSON.stringify(segment.slice(0, 64))} is not valid percent-encoding.`,
    );
  }
}
