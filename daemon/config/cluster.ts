// The section of nagaya.json that makes the daemon one of several on a NATS server with JetStream. Without it nothing
// of the cluster is loaded.
import { hostname } from 'node:os';
import * as z from 'zod';
import { memberForm } from '../../protocol/identifier-forms.ts';
import { environmentName } from '../../protocol/sources.ts';

const memberName = z
  .string()
  .regex(memberForm, 'must be 1-63 characters of a-z 0-9 - and begin and end with a letter or digit');

/** A name and a password in an address would stand in every place that shows the configuration. */
const server = z
  .string()
  .max(300)
  .regex(
    /^(?:(?:nats|tls):\/\/)?(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/,
    'must be the address of a NATS server such as nats://host:4222, without a name and a password',
  );
const file = z.string().min(1).max(4096);

const credentials = z.union([
  file.describe("a .creds file, relative to this file's folder"),
  z.strictObject({ user: z.string().min(1).max(200), passwordEnv: environmentName }),
  z.strictObject({ tokenEnv: environmentName }),
]);

const tls = z.strictObject({
  caFile: file.optional().describe("certificates to trust in place of the system's"),
  certFile: file.optional().describe("the daemon's own certificate"),
  keyFile: file.optional().describe('the key of that certificate'),
});

export const cluster = z.strictObject({
  name: memberName.describe('daemons with the same name on the same server are members of one cluster'),
  member: memberName.optional().describe("this daemon's name, unique in the cluster; the machine's where absent"),
  nats: z.strictObject({
    servers: z.union([server, z.array(server).min(1).max(16)]).describe('one address or several of one NATS cluster'),
    credentials: credentials
      .optional()
      .describe('a .creds file, or { user, passwordEnv }, or { tokenEnv }: the names of environment variables'),
    tls: tls.optional().describe('encrypts the connection; empty: with the certificates that the system trusts'),
  }),
});
export type ClusterConfig = z.output<typeof cluster>;

/** The name of this daemon among the members; undefined where the machine's name cannot be one. */
export function memberOf({ member }: ClusterConfig, machine: string = hostname()): string | undefined {
  if (member !== undefined) return member;
  const name = (machine.split('.')[0] ?? '').toLowerCase();
  return memberForm.test(name) ? name : undefined;
}

/** Paths are relative to the file. */
export function clusterWithPaths(found: ClusterConfig, absolute: (path: string) => string): ClusterConfig {
  const { credentials: given, tls: secured } = found.nats;
  return {
    ...found,
    nats: {
      ...found.nats,
      ...(typeof given === 'string' ? { credentials: absolute(given) } : {}),
      ...(secured === undefined
        ? {}
        : { tls: Object.fromEntries(Object.entries(secured).map(([key, path]) => [key, absolute(path)])) }),
    },
  };
}
