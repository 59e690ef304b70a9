// Operations on what plugins use of the machine.
import * as z from 'zod';
import { pluginId } from '../identifiers.ts';
import { operation } from '../operation.ts';
import { pluginUsage } from '../usage.ts';

export const usageOperations = {
  'usage.list': operation({
    summary: 'What each plugin uses: processor time, memory, and how its events, calls and inputs fare',
    audience: 'operator',
    http: { method: 'GET', path: '/api/usage' },
    params: z.strictObject({ plugin: pluginId.optional() }),
    result: z.object({
      at: z.iso.datetime(),
      daemon: z.object({
        pid: z.int().min(0).describe('another one after the daemon was started again'),
        cpuSeconds: z.number().min(0).describe("of the daemon's process, with all its thread cells"),
        rssMb: z.number().min(0),
        processors: z.int().min(1).describe('that the system has'),
      }),
      plugins: z.array(pluginUsage),
    }),
    errors: ['plugin_not_found'],
  }),
};
