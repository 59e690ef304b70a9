// What the host asks of a plugin's tools, wherever they run: in pools, or in an MCP server that is hosted.
import type { CallWaiter } from './pending-call.ts';
import type { ToolRequest } from './plugin-tools.ts';

export interface RunningTools {
  /** Calls that have not been answered. */
  readonly pending: number;
  /** Threads and processes that exist, those being ended included. */
  readonly threads: number;
  /** Of these, those that did not end in time. */
  readonly unkillable: number;
  /** Throws what it refuses; from then on the waiter hears of the end. */
  call(request: ToolRequest, waiter: CallWaiter): void;
  /** While it is held no call begins: those that come wait in the queue, up to their own deadlines. */
  hold(held: boolean): void;
  /** Answers what is pending, ends every thread and process, and takes no call any more. */
  close(deadlineMs: number): Promise<void>;
}
