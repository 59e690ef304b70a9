// The MCP thread as the host holds it: started when MCP is first used, so that a daemon without MCP pays nothing.
import { Worker } from 'node:worker_threads';
import { Gathered } from '../../protocol/gathered.ts';
import type { FromMcpThread, McpThreadOptions, ToMcpThread } from '../../protocol/mcp/messages.ts';
import { cellEntry, directReads } from '../isolates/entries.ts';

export interface ThreadListener {
  message(message: FromMcpThread): void;
  /** Nothing more comes from it. */
  ended(why: string): void;
}

export interface McpThread {
  post(message: ToMcpThread): void;
  end(): Promise<void>;
}

export type SpawnMcpThread = (options: McpThreadOptions, listener: ThreadListener) => McpThread;

export const spawnMcpThread: SpawnMcpThread = (options, listener) => {
  const worker = new Worker(cellEntry('mcp-thread'), {
    name: 'mcp',
    env: {},
    argv: [],
    execArgv: [...directReads],
    workerData: options,
  });
  let why = 'it ended by itself';
  worker.on('message', (messages: readonly FromMcpThread[]) => {
    for (const message of messages) listener.message(message);
  });
  worker.on('error', (error) => {
    why = error instanceof Error ? error.message : String(error);
  });
  worker.once('exit', () => listener.ended(why));
  const gathered = new Gathered<ToMcpThread>((messages) => worker.postMessage(messages));
  return {
    post: (message) => {
      gathered.add(message);
      // Clients drop progress that comes in one piece with the answer.
      if (message.type === 'progress') gathered.flush();
    },
    end: async () => {
      await worker.terminate();
    },
  };
};
