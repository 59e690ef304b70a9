// What the operations on the usage of plugins do.
import { availableParallelism } from 'node:os';
import type { usageOperations } from '../../protocol/operations/usage.ts';
import type { Handlers } from './caller.ts';
import type { Host } from '../host/host.ts';

const microsecondsInSecond = 1e6;
const mebibyte = 1024 * 1024;

export function usageHandlers(host: Host): Pick<Handlers, keyof typeof usageOperations> {
  return {
    'usage.list': ({ plugin }) => {
      const { user, system } = process.cpuUsage();
      return {
        at: new Date().toISOString(),
        daemon: {
          pid: process.pid,
          cpuSeconds: (user + system) / microsecondsInSecond,
          rssMb: Number((rssBytes() / mebibyte).toFixed(1)),
          processors: availableParallelism(),
        },
        plugins: host.usage(plugin),
      };
    },
  };
}

/** It throws where no descriptor is left. */
function rssBytes(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return 0;
  }
}
