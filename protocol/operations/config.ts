// The operation on the configuration of a daemon that runs.
import * as z from 'zod';
import { operation } from '../operation.ts';

export const configReload = z.object({
  config: z.string().nullable().describe('the file that was read; null where there is none'),
  applied: z.array(z.string()).describe('what is different in it and holds from now on, by path'),
  pending: z
    .array(z.object({ path: z.string(), remedy: z.string() }))
    .describe('what is different in it and does not hold yet, and what makes it hold'),
  sources: z.int().min(0).describe('sources whose credentials were read again'),
});
export type ConfigReload = z.output<typeof configReload>;

export const configOperations = {
  'config.reload': operation({
    summary:
      'Reads the configuration and the files of credentials again: what can change in a running daemon does, and what cannot is named',
    http: { method: 'POST', path: '/api/config/reload' },
    params: z.strictObject({}),
    result: configReload,
    errors: ['config_invalid'],
  }),
};
