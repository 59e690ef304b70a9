// The rows of the suite, in the order in which they are measured.
import type { Row } from './row.ts';
import { clusterRow } from './rows/cluster.ts';
import { dispatch } from './rows/dispatch.ts';
import { durableRow } from './rows/durable.ts';
import { endToEnd } from './rows/end-to-end.ts';
import { endToEndBatches } from './rows/end-to-end-batches.ts';
import { footprint } from './rows/footprint.ts';
import { killRow } from './rows/kill.ts';
import { loneEvent } from './rows/lone-event.ts';
import { many } from './rows/many.ts';
import { mcp } from './rows/mcp.ts';
import { neighbours } from './rows/neighbours.ts';
import { output } from './rows/output.ts';
import { scrapedRow } from './rows/scraped.ts';
import { soak } from './rows/soak.ts';
import { toolCall } from './rows/tool-call.ts';
import { toolProcess } from './rows/tool-process.ts';
import { webhookRow } from './rows/webhook.ts';

export const suite: readonly Row[] = [
  dispatch,
  endToEnd,
  endToEndBatches,
  scrapedRow,
  loneEvent,
  toolCall,
  toolProcess,
  mcp,
  neighbours,
  killRow,
  many,
  durableRow,
  webhookRow,
  clusterRow,
  output,
  footprint,
  soak,
];
