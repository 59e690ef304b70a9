// The section of nagaya.json that names daemons outside the cluster, each with a runtime that is shown here as one of
// this daemon's. Without it nothing of them is loaded.
import * as z from 'zod';
import { openId } from '../../protocol/identifiers.ts';

/** What every daemon has itself. Only these can be had of another one, so that two never ask each other in a circle. */
export const ownRuntimeIds: readonly string[] = ['backend-internal', 'local'];

/** A name and a password in an address would stand in every place that shows the configuration. */
const url = z
  .string()
  .max(2000)
  .refine(
    isPlainUrl,
    'must be the address of a daemon such as https://host:7979, without a name, a password, a query or a fragment',
  );

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text) || /[\s\\?#]/.test(text)) return false;
  const { protocol, username, password, hostname } = new URL(text);
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '' && hostname !== '';
}

const remoteDaemon = z.strictObject({
  id: openId.describe("the runtime's id in this daemon"),
  url: url.describe("where that daemon's port for browsers is reached: https://host:port, or http://"),
  tokenFile: z
    .string()
    .min(1)
    .max(4096)
    .describe(
      "a file of mode 0600 with that daemon's http.token, or its http.readToken to look only; relative to this file",
    ),
  runtime: z
    .enum(['backend-internal', 'local'])
    .default('backend-internal')
    .describe('which runtime of that daemon it is'),
  allowPlain: z
    .boolean()
    .default(false)
    .describe('allows http:// to another machine: the token and everything else can be read on the way'),
});
export type RemoteDaemonConfig = z.output<typeof remoteDaemon>;

export const remoteDaemons = z
  .array(remoteDaemon)
  .max(32)
  .default([])
  .describe('runtimes of daemons outside the cluster, as runtimes of this one');

/** Paths are relative to the file. */
export const remoteDaemonsWithPaths = (
  found: readonly RemoteDaemonConfig[],
  absolute: (path: string) => string,
): RemoteDaemonConfig[] => found.map((one) => ({ ...one, tokenFile: absolute(one.tokenFile) }));
