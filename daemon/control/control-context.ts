// What every connection is given, whichever language it speaks.
import type { McpGateway } from '../mcp/mcp-gateway.ts';
import type { Limits } from '../config/schema.ts';
import type { Feed } from '../telemetry/feed.ts';
import type { ControlLog } from './control-log.ts';
import type { HalfLines } from './half-lines.ts';
import type { OperationCalls } from './operation-calls.ts';
import type { ConnectionCounters } from './connection-counters.ts';

export interface ControlContext {
  readonly calls: OperationCalls;
  readonly limits: Limits;
  readonly feed: Feed;
  readonly tally: ConnectionCounters;
  readonly halfLines: HalfLines;
  readonly log: ControlLog;
  /** Where MCP clients are served. */
  readonly mcp: McpGateway;
}
