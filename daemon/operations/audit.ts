// What was done to the daemon: each operation that changes something, with who called it and what it came to. Nothing
// of payloads or inputs is kept.
import type { auditOperations, AuditEntry } from '../../protocol/operations/audit.ts';
import { asHostError } from '../../protocol/errors.ts';
import { type OperationName } from '../../protocol/operations.ts';
import type { Caller, Handlers } from './caller.ts';
import { Deferred } from './deferred.ts';

/** Those that change something, and are not the daily work of programs. */
const audited: readonly OperationName[] = [
  'plugin.load',
  'plugin.reload',
  'plugin.unload',
  'service.start',
  'service.stop',
  'service.restart',
  'deadLetter.replay',
  'deadLetter.discard',
  'source.pause',
  'source.resume',
  'source.trigger',
  'output.retry',
  'output.discard',
  'config.reload',
  'browser.link',
  'daemon.shutdown',
];
/** Daily work of programs, and an act where a person does it on the page. */
const auditedOnPage: readonly OperationName[] = [
  'tool.call',
  'ingress.publish',
  'worker.create',
  'worker.input',
  'worker.stop',
  'worker.cancel',
];

export interface AuditSink {
  write(entry: AuditEntry): void;
}

export class AuditLog {
  readonly #capacity: number;
  readonly #sink: AuditSink;
  readonly #entries: AuditEntry[] = [];
  #forgotten = 0;

  constructor(capacity: number, sink: AuditSink) {
    this.#capacity = capacity;
    this.#sink = sink;
  }

  add(entry: AuditEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length > this.#capacity) {
      this.#entries.shift();
      this.#forgotten += 1;
    }
    this.#sink.write(entry);
  }

  handlers(): Pick<Handlers, keyof typeof auditOperations> {
    return {
      'audit.list': ({ limit }) => ({ entries: this.#entries.slice(-limit).reverse(), forgotten: this.#forgotten }),
    };
  }

  /** The same handlers, each of which writes down what it did. */
  watching(handlers: Handlers): Handlers {
    const watched = new Map<string, (params: unknown, caller: Caller) => unknown>();
    for (const name of [...audited, ...auditedOnPage]) {
      const handle = handlers[name] as (params: unknown, caller: Caller) => unknown;
      const always = audited.includes(name);
      watched.set(name, (params, caller) =>
        always || caller.audience !== 'control' ? this.#watch(name, handle, params, caller) : handle(params, caller),
      );
    }
    return { ...handlers, ...(Object.fromEntries(watched) as unknown as Partial<Handlers>) };
  }

  #watch(
    operation: OperationName,
    handle: (params: unknown, caller: Caller) => unknown,
    params: unknown,
    caller: Caller,
  ): unknown {
    const note = (outcome: string): void => this.add(entryOf(operation, params, caller, outcome));
    try {
      const answer = handle(params, caller);
      const promise = answer instanceof Deferred ? answer.promise : answer instanceof Promise ? answer : undefined;
      if (promise === undefined) {
        note('ok');
        return answer;
      }
      return promise.then(
        (result: unknown) => {
          note('ok');
          return result;
        },
        (thrown: unknown) => {
          note(asHostError(thrown).code);
          throw thrown;
        },
      );
    } catch (thrown) {
      note(asHostError(thrown).code);
      throw thrown;
    }
  }
}

/** What of the parameters says to what it was done. */
const named = ['plugin', 'tool', 'source', 'output', 'workerId'] as const;

function entryOf(operation: OperationName, params: unknown, { audience, id }: Caller, outcome: string): AuditEntry {
  const given = (params ?? {}) as Readonly<Record<string, unknown>>;
  const { ids } = given;
  const to = named.flatMap((name) => (typeof given[name] === 'string' ? [[name, given[name]]] : []));
  return {
    at: new Date().toISOString(),
    who: audience === 'control' ? `socket (connection ${id})` : `page (${id})`,
    operation,
    ...(Object.fromEntries(to) as Partial<Record<(typeof named)[number], string>>),
    ...(Array.isArray(ids) ? { deadLetters: ids.length } : {}),
    outcome,
  };
}
