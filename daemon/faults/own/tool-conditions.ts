// The hostile conditions that a tool is put under.
import type { HostError } from '../../../protocol/errors.ts';
import { type Judged, broken, fine, mishandled, tally } from './finding.ts';
import { type DeclaredTool, type OwnPlugin, asError, wordsOfError } from './own-plugin.ts';

export interface ToolCondition {
  readonly id: string;
  readonly what: string;
  run(own: OwnPlugin, tool: DeclaredTool): Promise<Judged>;
}

const calmCalls = 5;
const crowd = 32;
const hostileInputs: readonly unknown[] = [null, '', 0, true, [], {}, { unexpected: true }, 'x'.repeat(500_000)];

export const toolConditions: readonly ToolCondition[] = [
  { id: 'calm', what: 'called as it should be', run: calm },
  { id: 'malformed', what: 'inputs of every wrong shape', run: malformed },
  { id: 'crowd', what: 'more callers at once than its pool has threads', run: crowded },
  { id: 'cancelled', what: 'cancelled while it runs', run: cancelled },
  { id: 'squeezed', what: 'a deadline of one millisecond', run: squeezed },
];

/** Undefined when it answered. */
async function call(
  own: OwnPlugin,
  tool: DeclaredTool,
  input: unknown,
  more: { timeoutMs?: number; callId?: string } = {},
): Promise<HostError | undefined> {
  try {
    await own.client.call('tool.call', { plugin: own.declared.id, tool: tool.name, input, ...more });
    return undefined;
  } catch (thrown) {
    return asError(thrown);
  }
}

async function stillWorks(own: OwnPlugin, tool: DeclaredTool, otherwise: Judged): Promise<Judged> {
  const error = await call(own, tool, own.sampleInput(tool));
  return error === undefined || error.code === 'tool_input_invalid'
    ? otherwise
    : broken(`the next call is answered ${wordsOfError(error)}`);
}

async function calm(own: OwnPlugin, tool: DeclaredTool): Promise<Judged> {
  const failures: string[] = [];
  for (let at = 0; at < calmCalls; at += 1) {
    const error = await call(own, tool, own.sampleInput(tool));
    if (error !== undefined) failures.push(wordsOfError(error));
  }
  return failures.length === 0 ? fine(`${String(calmCalls)} calls answered`) : mishandled(tally(failures));
}

async function malformed(own: OwnPlugin, tool: DeclaredTool): Promise<Judged> {
  const said: string[] = [];
  const lostCells: string[] = [];
  for (const input of hostileInputs) {
    const error = await call(own, tool, input);
    said.push(error?.code ?? 'answered');
    if (error?.code === 'tool_crashed' || error?.code === 'tool_timeout') lostCells.push(wordsOfError(error));
  }
  return await stillWorks(
    own,
    tool,
    lostCells.length > 0 ? mishandled(`its cell was lost over ${tally(lostCells)}`) : fine(tally(said)),
  );
}

async function crowded(own: OwnPlugin, tool: DeclaredTool): Promise<Judged> {
  const errors = await Promise.all(Array.from({ length: crowd }, () => call(own, tool, own.sampleInput(tool))));
  const failures = errors.flatMap((error) => (error === undefined ? [] : [wordsOfError(error)]));
  return failures.length === 0
    ? fine(`${String(crowd)} callers at once answered`)
    : mishandled(`${String(failures.length)} of ${String(crowd)} callers at once failed: ${tally(failures)}`);
}

async function cancelled(own: OwnPlugin, tool: DeclaredTool): Promise<Judged> {
  const callId = `faults-${tool.name}`;
  const pending = call(own, tool, own.sampleInput(tool), { callId });
  await own.client.call('tool.cancel', { callId });
  const error = await pending;
  return await stillWorks(own, tool, fine(error === undefined ? 'was answered first' : wordsOfError(error)));
}

async function squeezed(own: OwnPlugin, tool: DeclaredTool): Promise<Judged> {
  const error = await call(own, tool, own.sampleInput(tool), { timeoutMs: 1 });
  return await stillWorks(own, tool, fine(error === undefined ? 'answered in time all the same' : wordsOfError(error)));
}
