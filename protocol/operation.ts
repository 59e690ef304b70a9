// What one operation is: a value from which the socket, the HTTP routes, the client, the command and the OpenAPI
// document are all derived, so that none of them can drift from the others.
import type * as z from 'zod';
import type { ErrorCode } from './errors.ts';

/**
 * Who may call it over HTTP from outside: `browser` operations are a closed list, and so are those of the `operator`,
 * whom `nagaya console` has signed in.
 */
export type Audience = 'control' | 'operator' | 'browser';

export interface HttpRoute {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `{name}` stands for the parameter of that name; the rest comes from the query (GET, DELETE) or the body. */
  readonly path: `/api/${string}`;
}

export interface Operation<Params extends z.ZodObject = z.ZodObject, Result extends z.ZodType = z.ZodType> {
  readonly summary: string;
  readonly http: HttpRoute;
  readonly params: Params;
  readonly result: Result;
  /** Beside `commonErrors`, which every operation can answer. */
  readonly errors: readonly ErrorCode[];
  readonly audience: Audience;
  /** Over HTTP the answer is a stream of server-sent events. */
  readonly stream?: boolean;
  /** Answered even while the daemon shuts down. */
  readonly duringShutdown?: boolean;
}

export const commonErrors = [
  'invalid_request',
  'payload_too_large',
  'too_many_requests',
  'shutting_down',
  'internal',
] as const satisfies readonly ErrorCode[];

type Described<Params extends z.ZodObject, Result extends z.ZodType> = Omit<
  Operation<Params, Result>,
  'audience' | 'errors'
> &
  Partial<Pick<Operation, 'audience' | 'errors'>>;

export function operation<Params extends z.ZodObject, Result extends z.ZodType>(
  row: Described<Params, Result>,
): Operation<Params, Result> {
  return { audience: 'control', errors: [], ...row };
}
