// A control server on a real socket with handlers of the test's own, for tests of the control surface alone.
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type Limits, limits as limitsSchema } from '../../daemon/config/schema.ts';
import type { Handlers } from '../../daemon/operations/caller.ts';
import { ControlServer } from '../../daemon/control/socket/control-server.ts';
import type { Reports } from '../../daemon/control/http/reports.ts';
import { HalfLines } from '../../daemon/control/half-lines.ts';
import { Feed } from '../../daemon/telemetry/feed.ts';
import { HostError } from '../../protocol/errors.ts';
import { EncodedJson } from '../../protocol/json-rpc.ts';
import { operationNames } from '../../protocol/operations.ts';
import { noMcp } from './no-mcp.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface ControlOptions {
  readonly limits?: Partial<Limits>;
  readonly handlers?: Partial<Handlers>;
  shuttingDown?(): boolean;
}

export interface Control {
  readonly path: string;
  readonly server: ControlServer;
  readonly feed: Feed;
  readonly halfLines: HalfLines;
  /** Every line that went to the log. */
  readonly logged: { readonly fields: object; readonly message: string }[];
}

/** What a call brought as text is only the plugin's to take apart, and here the test's. */
export const inputOf = (given: unknown): unknown =>
  given instanceof EncodedJson ? (JSON.parse(given.text) as unknown) : (given ?? null);

/** Answers at once; a tool named `later` answers with its input after `input.ms`, one named `never` never does. */
export const usualHandlers: Partial<Handlers> = {
  'daemon.ping': () => ({ pong: true, at: '2026-01-01T00:00:00.000Z' }),
  'ingress.publish': (params) => ({
    accepted: true,
    eventId: 'e',
    correlationId: String((params.event as { id?: unknown }).id),
    queueDepth: 0,
  }),
  'tool.call': async ({ tool, input: given }, caller) => {
    const input = inputOf(given);
    if (tool === 'never')
      await new Promise((_, reject) =>
        caller.signal.addEventListener('abort', () => reject(new HostError('tool_cancelled', 'gone'))),
      );
    if (tool === 'later') await pause((input as { ms: number }).ms);
    return { output: input, durationMs: 0 };
  },
  'events.subscribe': ({ topics, plugin }, caller) => ({
    ...caller.subscribe({ topics, ...(plugin === undefined ? {} : { plugin }) }),
    topics,
  }),
  'events.unsubscribe': ({ subscriptionId }, caller) => caller.unsubscribe(subscriptionId),
};

export function allHandlers(given: Partial<Handlers>): Handlers {
  const refuse = (name: string) => (): never => {
    throw new HostError('unsupported_operation', `${name} is not part of this test.`);
  };
  // Every name of the table is there; that each handler fits its name is what `given` was checked for.
  return Object.fromEntries(operationNames.map((name) => [name, given[name] ?? refuse(name)])) as unknown as Handlers;
}

/** What a server without a daemon reports. */
export const noReports: Reports = {
  health: () => ({ live: true, ready: true, reasons: [] }),
  metrics: () => Promise.resolve('# TYPE nagaya_ready gauge\nnagaya_ready 1\n'),
};

export async function startControl(t: TestContext, options: ControlOptions = {}): Promise<Control> {
  const path = join(await temporaryFolder(t), 's.sock');
  const feed = new Feed();
  const logged: Control['logged'] = [];
  const log = (fields: object, message: string): void => {
    logged.push({ fields, message });
  };
  const limits = { ...limitsSchema.parse({}), ...options.limits };
  const halfLines = new HalfLines(limits.halfLineBytes);
  const server = new ControlServer({
    handlers: allHandlers({ ...usualHandlers, ...options.handlers }),
    limits,
    halfLines,
    feed,
    log: { warn: log, error: log },
    shuttingDown: () => options.shuttingDown?.() ?? false,
    reports: noReports,
    version: '1.2.3',
    mcp: noMcp(),
  });
  await server.listen(path);
  t.after(() => server.close(500));
  return { path, server, feed, halfLines, logged };
}
