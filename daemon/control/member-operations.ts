// Carries out what another member of the cluster asks: a closed list of operations, by the table that everybody else's
// calls go through.
import { HostError } from '../../protocol/errors.ts';
import { encodeJson } from '../../protocol/json-rpc.ts';
import type { OperationName } from '../../protocol/operations.ts';
import { awakeTime } from '../time/awake-time.ts';
import type { Caller, Handlers } from '../operations/caller.ts';
import { Deferred } from '../operations/deferred.ts';
import { OperationCalls } from './operation-calls.ts';

const allowed: ReadonlySet<string> = new Set<OperationName>([
  'cluster.drain',
  'ingress.publish',
  'ingress.deliver',
  'tool.call',
  'deadLetter.list',
  'deadLetter.show',
  'deadLetter.replay',
  'deadLetter.discard',
  'runtime.show',
  'worker.list',
  'worker.create',
  'worker.show',
  'worker.input',
  'worker.stop',
  'worker.cancel',
  'worker.transcript',
  'worker.state',
  'worker.events',
]);

export function memberOperations(
  handlers: Handlers,
  shuttingDown: () => boolean,
): (
  operation: string,
  params: unknown,
  asked: { readonly member: string; readonly signal: AbortSignal },
) => Promise<string> {
  const calls = new OperationCalls(handlers, shuttingDown);
  return async (operation, params, { member, signal }) => {
    if (!allowed.has(operation))
      throw new HostError('method_not_found', `Members do not ask each other for ${operation.slice(0, 64)}.`);
    const answer = calls.call(operation, params, callerOf(member, signal));
    return encodeJson(await (answer instanceof Deferred ? answer.promise : answer));
  };
}

function callerOf(member: string, signal: AbortSignal): Caller {
  const cannotPush = (): never => {
    throw new HostError('unsupported_operation', 'Members do not subscribe to each other.', {
      instead: 'its own socket',
    });
  };
  return {
    id: `member ${member}`,
    audience: 'control',
    signal,
    arrivedMs: awakeTime.nowMs(),
    member,
    subscribe: cannotPush,
    unsubscribe: cannotPush,
  };
}
