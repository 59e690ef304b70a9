// An operator, an account with JetStream, and .creds files of its users, as `nsc` makes them: for a nats-server that
// lets in by signed claims.
import { createHash } from 'node:crypto';
import { nkeys } from '@nats-io/transport-node';

type KeyPair = ReturnType<typeof nkeys.createUser>;

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function signed(issuer: KeyPair, subject: string, name: string, nats: object, more: object = {}): string {
  const claims = { iat: 1_700_000_000, iss: issuer.getPublicKey(), name, sub: subject, nats, ...more };
  const jti = createHash('sha256').update(JSON.stringify(claims)).digest('hex').toUpperCase().slice(0, 52);
  const body = `${encoded({ typ: 'JWT', alg: 'ed25519-nkey' })}.${encoded({ jti, ...claims })}`;
  const signature = Buffer.from(issuer.sign(new TextEncoder().encode(body))).toString('base64url');
  return `${body}.${signature}`;
}

export interface Accounts {
  /** Lines of the server's configuration. */
  readonly config: string;
  /** The content of a .creds file, and what in it is secret. */
  creds(options?: { readonly expires?: Date }): { readonly text: string; readonly secrets: readonly string[] };
}

const unbounded = { subs: -1, data: -1, payload: -1 };

export function makeAccounts(): Accounts {
  const [operator, account, system] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createAccount()];
  const limits = { ...unbounded, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const stored = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const claim = (of: KeyPair, name: string, more: object): string =>
    signed(operator, of.getPublicKey(), name, {
      type: 'account',
      version: 2,
      limits: { ...limits, ...more },
      default_permissions: { pub: {}, sub: {} },
    });
  const own = { type: 'operator', version: 2, system_account: system.getPublicKey() };
  return {
    config: `
operator: ${signed(operator, operator.getPublicKey(), 'tests', own)}
system_account: ${system.getPublicKey()}
resolver: MEMORY
resolver_preload: {
  ${account.getPublicKey()}: ${claim(account, 'members', stored)}
  ${system.getPublicKey()}: ${claim(system, 'SYS', {})}
}
`,
    creds({ expires } = {}) {
      const user = nkeys.createUser();
      const exp = expires === undefined ? {} : { exp: Math.floor(expires.getTime() / 1000) };
      const nats = { type: 'user', version: 2, pub: {}, sub: {}, ...unbounded };
      const jwt = signed(account, user.getPublicKey(), 'member', nats, exp);
      const seed = new TextDecoder().decode(user.getSeed());
      const text = `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`;
      return { text, secrets: [jwt, seed] };
    },
  };
}
