// With what this daemon proves to the NATS server who it is, and by what it knows the server. Everything is read again
// for each connection, in this thread, so that what is renewed on disk counts without a restart. What is wrong with it
// is said without paths and without anything of what was read.
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { type PeerCertificate, checkServerIdentity, createSecureContext } from 'node:tls';
import type { Authenticator, TlsOptions } from '@nats-io/transport-node';
import type { ClusterData } from '../../protocol/cluster/messages.ts';
import type { Credentials } from '../edge/credentials.ts';

/** A reason in words for the operator. */
export class Unusable extends Error {}

type Client = Pick<
  typeof import('@nats-io/transport-node'),
  'jwtAuthenticator' | 'tokenAuthenticator' | 'usernamePasswordAuthenticator'
>;

/** Undefined where the configuration names no credentials. Throws Unusable. */
export function authenticatorOf(
  credentials: ClusterData['credentials'],
  read: Pick<Credentials, 'find'>,
  client: Client,
): Authenticator | undefined {
  if (credentials === undefined) return undefined;
  const found = (name: string | { readonly file: string }): string => {
    const answer = read.find(name);
    if (!answer.ok) throw new Unusable(`cluster.nats.credentials: ${answer.message}`);
    return answer.value;
  };
  if (typeof credentials === 'string') {
    // The client's own reader of such files wants a line's end behind the last line.
    const creds = (): Creds => usableCreds(found({ file: credentials }));
    const authenticator = client.jwtAuthenticator(
      () => creds().jwt,
      () => new TextEncoder().encode(creds().seed),
    );
    tried(authenticator);
    return authenticator;
  }
  if ('tokenEnv' in credentials) return client.tokenAuthenticator(found(credentials.tokenEnv));
  return client.usernamePasswordAuthenticator(credentials.user, found(credentials.passwordEnv));
}

/** The client would wait for nothing with one that throws, until its time is over. */
function tried(authenticator: Authenticator): void {
  try {
    authenticator('nonce');
  } catch (thrown) {
    if (thrown instanceof Unusable) throw thrown;
    throw new Unusable('cluster.nats.credentials: the seed in the credential file is damaged');
  }
}

const block = /-{3,}[^\n]*-{3,}\s*\n\s*(\S+)\s*\n\s*-{3,}[^\n]*-{3,}/g;

interface Creds {
  readonly jwt: string;
  readonly seed: string;
}

function usableCreds(text: string): Creds {
  const [jwt, seed] = [...text.matchAll(block)].map(([, value]) => value);
  if (jwt === undefined || seed === undefined)
    throw new Unusable('cluster.nats.credentials: the credential file must be a .creds file with a JWT and a seed');
  const expires = expiryOf(jwt);
  if (expires !== undefined && expires.getTime() <= Date.now())
    throw new Unusable(`cluster.nats.credentials: the JWT in the credential file expired at ${expires.toISOString()}`);
  return { jwt, seed };
}

function expiryOf(jwt: string): Date | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8'));
    const expires = typeof claims === 'object' && claims !== null && 'exp' in claims ? claims.exp : undefined;
    return typeof expires === 'number' && expires > 0 && expires < 1e11 ? new Date(expires * 1000) : undefined;
  } catch {
    throw new Unusable('cluster.nats.credentials: the JWT in the credential file is damaged');
  }
}

/** Undefined where neither the configuration nor an address asks for TLS. Throws Unusable. */
export function tlsOf({ tls, servers }: Pick<ClusterData, 'tls' | 'servers'>): TlsOptions | undefined {
  if (tls === undefined && !servers.some((server) => server.startsWith('tls://'))) return undefined;
  const [ca, cert, key] = [
    certificate('caFile', tls?.caFile),
    certificate('certFile', tls?.certFile),
    contentOf('keyFile', tls?.keyFile),
  ];
  const given = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
  try {
    createSecureContext(given);
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
    throw new Unusable(
      code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH'
        ? 'cluster.nats.tls: keyFile is not the key of certFile'
        : 'cluster.nats.tls.keyFile: it must be a key in PEM form, without a passphrase',
    );
  }
  const hosts = servers.map(hostOf);
  const checked = {
    ...given,
    checkServerIdentity: (name: string, peer: PeerCertificate) => identityFault(hosts, name, peer),
  };
  // The client passes on to Node what it does not know itself.
  return checked;
}

const mostBytes = 1024 * 1024;

function contentOf(field: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    const found = statSync(path);
    if (!found.isFile()) throw new Unusable(`cluster.nats.tls.${field}: it is no regular file`);
    if (found.size > mostBytes)
      throw new Unusable(`cluster.nats.tls.${field}: it is larger than ${String(mostBytes)} bytes`);
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    if (thrown instanceof Unusable) throw thrown;
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unknown';
    throw new Unusable(`cluster.nats.tls.${field}: it cannot be read (${code})`);
  }
}

function certificate(field: string, path: string | undefined): string | undefined {
  const text = contentOf(field, path);
  if (text === undefined) return undefined;
  const expires = expiryOfCertificate(field, text);
  if (expires.getTime() <= Date.now())
    throw new Unusable(`cluster.nats.tls.${field}: the certificate expired at ${expires.toISOString()}`);
  return text;
}

function expiryOfCertificate(field: string, text: string): Date {
  try {
    return new Date(new X509Certificate(text).validTo);
  } catch {
    throw new Unusable(`cluster.nats.tls.${field}: it holds no certificate in PEM form`);
  }
}

const hostOf = (server: string): string =>
  server
    .replace(/^[a-z]+:\/\//, '')
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1');

/** Node is not told the name of a server whose address is a number, and would take any certificate for localhost. */
function identityFault(hosts: readonly string[], name: string, peer: PeerCertificate): Error | undefined {
  const addresses = hosts.filter((host) => isIP(host) !== 0);
  if (name !== 'localhost' || hosts.includes(name) || addresses.length === 0) return checkServerIdentity(name, peer);
  const faults = addresses.map((address) => checkServerIdentity(address, peer));
  return faults.includes(undefined) ? undefined : faults[0];
}
