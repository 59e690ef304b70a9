// How a browser is let in: by a link that works once and that only who has the unix socket can ask for.
import * as z from 'zod';
import { operation } from '../operation.ts';

export const browserOperations = {
  'browser.link': operation({
    summary: 'A link that signs one browser in, once',
    http: { method: 'POST', path: '/api/browser/links' },
    params: z.strictObject({
      readOnly: z.boolean().default(false).describe('what is signed in may only read'),
      scope: z
        .enum(['browse', 'operate'])
        .default('browse')
        .describe("`operate`: the operator's page, at a port of this machine alone"),
    }),
    result: z.object({
      url: z.string().describe('to be opened in a browser on this machine'),
      expiresAt: z.iso.datetime(),
      readOnly: z.boolean(),
      scope: z.enum(['browse', 'operate']),
    }),
    errors: ['unsupported_operation'],
  }),
};
