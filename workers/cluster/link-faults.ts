// Why the NATS server cannot be used, in words for the operator: which setting is wrong, or what the server refuses.
import type { ClusterData, ClusterFault } from '../../protocol/cluster/messages.ts';
import { Unusable } from './security.ts';

type Asked = Pick<ClusterData, 'servers' | 'credentials' | 'tls' | 'requestMs'>;

const untrusted: ReadonlySet<string> = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
]);

const certificateFaults: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name than the address in cluster.nats.servers',
};

const networkFaults: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'its name is not known (ENOTFOUND)',
  EAI_AGAIN: 'its name cannot be looked up (EAI_AGAIN)',
};

export function faultOf(thrown: unknown, asked: Asked): ClusterFault {
  return {
    code: 'cluster_unavailable',
    message: `The NATS server (${asked.servers.join(', ')}) cannot be used: ${reasonOf(thrown, asked)}`,
  };
}

function reasonOf(thrown: unknown, asked: Asked): string {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (error instanceof Unusable) return error.message;
  return (
    refusal(error, asked) ??
    [error, error.cause].flatMap((one) => encryptionFault(one, asked) ?? [])[0] ??
    otherReason(error, asked)
  );
}

/** The server heard who this daemon is, and does not let it in. */
function refusal({ name, message }: Error, { credentials }: Asked): string | undefined {
  if (name === 'UserAuthenticationExpiredError' || /account authentication expired/i.test(message))
    return 'it says that the credentials have expired (cluster.nats.credentials)';
  if (name !== 'AuthorizationError') return undefined;
  if (/timeout/i.test(message)) return 'it was not told in time who this daemon is';
  return credentials === undefined
    ? 'it asks for credentials, and cluster.nats.credentials is not set'
    : `it does not accept ${credentialsText(credentials)} (cluster.nats.credentials)`;
}

function credentialsText(credentials: NonNullable<Asked['credentials']>): string {
  if (typeof credentials === 'string') return 'the credential file';
  return 'tokenEnv' in credentials ? 'the token' : 'the user and the password';
}

function encryptionFault(cause: unknown, { tls }: Asked): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  if (/server does not support 'tls'|"tls" is not available|'tls' is not available/.test(cause.message))
    return 'it does not speak TLS, which the configuration asks for';
  const code = codeOf(cause);
  if (untrusted.has(code))
    return `its certificate is signed by nobody whom ${tls?.caFile === undefined ? 'this system trusts; set cluster.nats.tls.caFile' : 'cluster.nats.tls.caFile names'} (${code})`;
  const known = certificateFaults[code];
  if (known !== undefined) return `${known} (${code})`;
  if (/^ERR_SSL_.*ALERT/.test(code))
    return tls?.certFile === undefined
      ? `it asks for a certificate of this daemon: set cluster.nats.tls.certFile and keyFile (${code})`
      : `it does not accept the certificate of this daemon, cluster.nats.tls.certFile (${code})`;
  return undefined;
}

function otherReason(error: Error, { requestMs }: Asked): string {
  const codes = [error, error.cause].map(codeOf);
  const known = codes.flatMap((code) => networkFaults[code] ?? [])[0];
  if (known !== undefined) return known;
  if (error.name === 'TimeoutError') return `it did not answer within ${String(requestMs)} ms (limits.clusterMs)`;
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${error.message.slice(0, 300)}${cause.slice(0, 200)}`;
}

const codeOf = (thrown: unknown): string =>
  thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';
