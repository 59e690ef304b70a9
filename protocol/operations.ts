// The operation table: every way in, by name. Socket, HTTP, client, command and OpenAPI are derived from it.
import type * as z from 'zod';
import { auditOperations } from './operations/audit.ts';
import { browserOperations } from './operations/browser.ts';
import { clusterOperations } from './operations/cluster.ts';
import { configOperations } from './operations/config.ts';
import { daemonOperations } from './operations/daemon.ts';
import { deadLetterOperations } from './operations/dead-letter.ts';
import { mcpOperations } from './operations/mcp.ts';
import { outputOperations } from './operations/output.ts';
import { pluginOperations } from './operations/plugin.ts';
import { runtimeOperations } from './operations/runtime.ts';
import { serviceOperations } from './operations/service.ts';
import { sourceOperations } from './operations/source.ts';
import { storeOperations } from './operations/store.ts';
import { telemetryOperations } from './operations/telemetry.ts';
import { toolOperations } from './operations/tool.ts';
import { usageOperations } from './operations/usage.ts';
import { workerOperations } from './operations/worker.ts';

export const operations = {
  ...daemonOperations,
  ...configOperations,
  ...pluginOperations,
  ...serviceOperations,
  ...deadLetterOperations,
  ...sourceOperations,
  ...outputOperations,
  ...toolOperations,
  ...telemetryOperations,
  ...runtimeOperations,
  ...workerOperations,
  ...storeOperations,
  ...auditOperations,
  ...usageOperations,
  ...browserOperations,
  ...mcpOperations,
  ...clusterOperations,
};

export type OperationName = keyof typeof operations;
export type OperationParams<Name extends OperationName> = z.output<(typeof operations)[Name]['params']>;
export type OperationInput<Name extends OperationName> = z.input<(typeof operations)[Name]['params']>;
export type OperationResult<Name extends OperationName> = z.output<(typeof operations)[Name]['result']>;

export const operationNames = Object.keys(operations) as OperationName[];
