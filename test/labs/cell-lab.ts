// A real thread cell without a service around it, whose plugin runs the code it is sent: for what a cell may do, and
// for what the host learns of it.
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { CellEnd, CellSpec } from '../../daemon/cells/cell.ts';
import { ThreadCell } from '../../daemon/cells/thread/thread-cell.ts';
import { limits as limitsSchema } from '../../daemon/config/schema.ts';
import { BatchText } from '../../protocol/cell/batch.ts';
import type { EventFailure, LogMessage } from '../../protocol/cell/messages.ts';
import { EncodedJson } from '../../protocol/json-rpc.ts';
import { temporaryFolder, writeTree } from './temporary-folder.ts';

/** Runs `payload.code`, with the modules it names at hand. */
const runner = `
const AsyncFunction = Object.getPrototypeOf(async function () {}).constructor;
export const service = {
  start() {},
  handleIngress: (event, ctx) => new AsyncFunction('ctx', 'payload', event.payload.code)(ctx, event.payload),
};
`;

export interface CellLab {
  readonly cell: ThreadCell;
  readonly folder: string;
  readonly logs: LogMessage[];
  readonly ended: Promise<CellEnd>;
  /** Whether the cell has ended. */
  readonly isOver: () => boolean;
  /** What the code answers; rejects with what it threw, as data, or when the cell ends first. */
  run(code: string, payload?: Record<string, unknown>): Promise<unknown>;
  /** The same for code that is not to answer. */
  begin(code: string, payload?: Record<string, unknown>): void;
}

export interface CellSetting {
  readonly spec?: Partial<CellSpec>;
  readonly limits?: Parameters<typeof limitsSchema.parse>[0];
  /** In place of the one that runs code: files by their path. */
  readonly files?: Readonly<Record<string, string>>;
  readonly entry?: string;
  readonly pluginId?: string;
  /** Its import need not come to an end. */
  readonly loads?: boolean;
}

export class Thrown extends Error {
  readonly failure: EventFailure['error'];

  constructor(failure: EventFailure['error']) {
    super(failure.message);
    this.failure = failure;
  }
}

export async function cellLab(
  t: TestContext,
  {
    spec = {},
    limits = {},
    files = { 'index.js': runner },
    entry = 'index.js',
    pluginId = 'test.cell',
    loads = true,
  }: CellSetting = {},
): Promise<CellLab> {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'package.json': { type: 'module' }, ...files });
  const logs: LogMessage[] = [];
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let sequence = 0;
  let over = false;
  let tellEnded: (end: CellEnd) => void = () => {};
  const ended = new Promise<CellEnd>((resolve) => {
    tellEnded = resolve;
  });
  const cell = new ThreadCell(
    {
      isolation: 'thread',
      name: 'test.cell',
      folder,
      env: {},
      execArgv: [],
      heapMb: 128,
      rssMb: 512,
      descriptors: 1000,
      logBytesPerSecond: 1024 * 1024,
      beginWithinMs: 1500,
      spinMs: 1000,
      ...spec,
    },
    {
      results: ({ outputs, failures }) => {
        for (const { sequence: of, json } of outputs)
          waiting.get(of)?.resolve(JSON.parse(new EncodedJson('', json).text));
        for (const { sequence: of, error } of failures) waiting.get(of)?.reject(new Thrown(error));
      },
      halted: () => {},
      log: (message) => void logs.push(message),
      logDropped: () => {},
      unkillable: () => {},
      ended: (end) => {
        over = true;
        for (const { reject } of waiting.values())
          reject(new Error(`the cell ended: ${end.reason}: ${end.error.message}`));
        tellEnded(end);
      },
    },
    limitsSchema.parse(limits),
  );
  t.after(async () => {
    cell.end();
    await ended;
  });
  const loading = cell.load(
    {
      plugin: { id: pluginId, name: 'Cell', version: '1.0.0' },
      incarnation: 1,
      entryUrl: pathToFileURL(join(folder, entry)).href,
      configJson: '{}',
      payloadSchemas: {},
      maxOutputBytes: 1024 * 1024,
      maxStateBytes: 1024 * 1024,
    },
    30_000,
  );
  const loaded = loads ? await loading : undefined;
  if (loaded?.ok === false) throw new Error(`the cell did not load: ${JSON.stringify(loaded)}`);
  const send = (code: string, payload: Record<string, unknown>, awaited: number[]): number => {
    sequence += 1;
    const text = new BatchText();
    const id = `test-${String(sequence)}`;
    text.add({
      head: { ingress: 'work', kind: 'do', source: 'test', createdAt: new Date().toISOString() },
      attempt: 1,
      eventId: id,
      correlationId: id,
      payload: JSON.stringify({ ...payload, code }),
    });
    cell.send({ type: 'batch', first: sequence, count: 1, json: text.toString(), awaited });
    return sequence;
  };
  return {
    cell,
    folder,
    logs,
    ended,
    isOver: () => over,
    run: (code, payload = {}) =>
      new Promise((resolve, reject) => {
        waiting.set(send(code, payload, [0]), { resolve, reject });
      }),
    begin: (code, payload = {}) => void send(code, payload, []),
  };
}

/** The event that is being executed has begun. */
export async function begun({ cell }: CellLab): Promise<void> {
  while (cell.register.read(1).phase !== 1) await new Promise((resolve) => setTimeout(resolve, 2));
}
