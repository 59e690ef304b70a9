// How senders of webhooks sign: each scheme is a row of data, and one function signs and one verifies by it. The edge
// verifies with it, and `nagaya hook send` signs with it.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export type HashAlgorithm = 'sha1' | 'sha256' | 'sha512';
export type SignatureEncoding = 'hex' | 'base64';

/** A header that holds one signature behind a prefix, or a list of them with other parts. */
export interface SignatureRow {
  readonly header: string;
  readonly algorithm: HashAlgorithm;
  readonly encoding: SignatureEncoding;
  /** Stands before each signature. */
  readonly prefix: string;
  /** The header is a list with this between its parts; parts with another prefix are left out. */
  readonly separator?: string;
  /** In a header of its own, or as the part of the list with this prefix. */
  readonly timestamp?: { readonly header: string } | { readonly part: string };
  readonly timestampUnit?: 's' | 'ms';
  /** The header with the sender's id for the message, where it is signed too. */
  readonly idHeader?: string;
  /** What is signed: `{body}`, `{timestamp}` and `{id}` stand for what came. */
  readonly content: string;
  /** `whsec`: base64, behind `whsec_`. */
  readonly key: 'text' | 'whsec';
}

export const signatureRows: Readonly<Record<'github' | 'stripe' | 'slack' | 'standard-webhooks', SignatureRow>> = {
  github: {
    header: 'x-hub-signature-256',
    algorithm: 'sha256',
    encoding: 'hex',
    prefix: 'sha256=',
    content: '{body}',
    key: 'text',
  },
  stripe: {
    header: 'stripe-signature',
    algorithm: 'sha256',
    encoding: 'hex',
    prefix: 'v1=',
    separator: ',',
    timestamp: { part: 't=' },
    content: '{timestamp}.{body}',
    key: 'text',
  },
  slack: {
    header: 'x-slack-signature',
    algorithm: 'sha256',
    encoding: 'hex',
    prefix: 'v0=',
    timestamp: { header: 'x-slack-request-timestamp' },
    content: 'v0:{timestamp}:{body}',
    key: 'text',
  },
  'standard-webhooks': {
    header: 'webhook-signature',
    algorithm: 'sha256',
    encoding: 'base64',
    prefix: 'v1,',
    separator: ' ',
    timestamp: { header: 'webhook-timestamp' },
    idHeader: 'webhook-id',
    content: '{id}.{timestamp}.{body}',
    key: 'whsec',
  },
};

/** What a source declares under `verify`, apart from where its secrets are. */
export type SignatureScheme =
  | { readonly scheme: 'github' | 'stripe' | 'slack' | 'standard-webhooks'; readonly toleranceMs?: number }
  | { readonly scheme: 'bearer' }
  | { readonly scheme: 'none' }
  | {
      readonly scheme: 'hmac';
      readonly header: string;
      readonly algorithm: HashAlgorithm;
      readonly encoding: SignatureEncoding;
      readonly prefix: string;
      readonly timestamp?: { readonly header: string; readonly unit: 's' | 'ms' } | undefined;
      readonly idHeader?: string | undefined;
      readonly content: string;
      readonly toleranceMs?: number;
    };

export interface SignedRequest {
  header(name: string): string | undefined;
  readonly body: Uint8Array;
}

export type Verdict =
  | {
      readonly ok: true;
      /** The sender's id, where the signature covers it. */
      readonly id?: string;
      /** The same for every copy of this request, and until when copies pass the time window. */
      readonly replay?: { readonly key: string; readonly untilMs: number };
    }
  /** For the operator alone. */
  | { readonly ok: false; readonly reason: string };

/** More signatures in one header are not compared. */
const comparedSignatures = 8;

export const rowOf = (scheme: SignatureScheme): SignatureRow | undefined => {
  if (scheme.scheme === 'none' || scheme.scheme === 'bearer') return undefined;
  if (scheme.scheme !== 'hmac') return signatureRows[scheme.scheme];
  const { header, algorithm, encoding, prefix, timestamp, idHeader, content } = scheme;
  return {
    header,
    algorithm,
    encoding,
    prefix,
    content,
    key: 'text',
    ...(timestamp === undefined ? {} : { timestamp: { header: timestamp.header }, timestampUnit: timestamp.unit }),
    ...(idHeader === undefined ? {} : { idHeader }),
  };
};

/** Headers that prove who sends: they are never passed on. */
export function signatureHeaders(scheme: SignatureScheme): readonly string[] {
  return ['authorization', 'proxy-authorization', 'cookie', ...(rowOf(scheme)?.header.split(' ') ?? [])];
}

export function verify(
  scheme: SignatureScheme,
  secrets: readonly string[],
  request: SignedRequest,
  nowMs: number,
): Verdict {
  if (scheme.scheme === 'none') return { ok: true };
  if (scheme.scheme === 'bearer') return verifyBearer(secrets, request);
  const row = rowOf(scheme);
  if (row === undefined) return refused('the scheme is not known');
  return verifyRow(row, secrets, request, nowMs, scheme.toleranceMs ?? defaultToleranceMs);
}

export const defaultToleranceMs = 300_000;

const refused = (reason: string): Verdict => ({ ok: false, reason });

function verifyBearer(secrets: readonly string[], request: SignedRequest): Verdict {
  const token = /^bearer +(\S+)$/i.exec(request.header('authorization') ?? '')?.[1];
  if (token === undefined) return refused('the header authorization holds no bearer token');
  // Both secrets are always compared, whichever is right.
  const matches = secrets.map((secret) => timingSafeEqual(digestOf(secret), digestOf(token)));
  return matches.includes(true) ? { ok: true } : refused('the bearer token is another');
}

const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest();

function verifyRow(
  row: SignatureRow,
  secrets: readonly string[],
  request: SignedRequest,
  nowMs: number,
  toleranceMs: number,
): Verdict {
  const given = request.header(row.header);
  if (given === undefined) return refused(`the header ${row.header} is missing`);
  const parts = row.separator === undefined ? [given] : given.split(row.separator).map((part) => part.trim());
  const timestamp = timestampIn(row, parts, request);
  const sentMs = millisecondsOf(timestamp, row.timestampUnit ?? 's');
  const late = row.timestamp === undefined ? undefined : windowFault(sentMs, nowMs, toleranceMs);
  if (late !== undefined) return refused(late);
  const id = row.idHeader === undefined ? undefined : request.header(row.idHeader);
  if (row.idHeader !== undefined && (id ?? '') === '') return refused(`the header ${row.idHeader} is missing`);
  const signatures = signaturesIn(row, parts);
  if (signatures.length === 0)
    return refused(`the header ${row.header} holds no signature that begins with ${row.prefix}`);
  const wanted = secrets.map((secret) => signatureBytes(row, secret, { body: request.body, timestamp, id }));
  // Every signature is compared with every secret, so that the time says nothing of which was right.
  const matches = wanted.flatMap((one) => signatures.map((signature) => sameBytes(one, signature)));
  if (!matches.includes(true)) return refused(`the signature in ${row.header} fits none of the secrets`);
  const verdict = { ok: true, ...(id === undefined ? {} : { id }) } as const;
  if (timestamp === undefined || sentMs === undefined) return verdict;
  const key = createHash('sha256')
    .update(`${timestamp}\n${id ?? ''}\n`)
    .update(request.body)
    .digest('base64');
  return { ...verdict, replay: { key, untilMs: sentMs + toleranceMs } };
}

const signaturesIn = ({ prefix, encoding }: SignatureRow, parts: readonly string[]): Buffer[] =>
  parts
    .filter((part) => part.startsWith(prefix))
    .slice(0, comparedSignatures)
    .map((part) => decoded(part.slice(prefix.length), encoding));

function windowFault(sentMs: number | undefined, nowMs: number, toleranceMs: number): string | undefined {
  if (sentMs === undefined) return 'the time of the signature is missing or is no time';
  const ageMs = nowMs - sentMs;
  if (Math.abs(ageMs) <= toleranceMs) return undefined;
  return `the time of the signature is ${String(Math.round(Math.abs(ageMs) / 1000))} s ${ageMs > 0 ? 'old' : 'ahead'}, more than toleranceMs (${String(toleranceMs)} ms) allows`;
}

function timestampIn(row: SignatureRow, parts: readonly string[], request: SignedRequest): string | undefined {
  const { timestamp } = row;
  if (timestamp === undefined) return undefined;
  if ('header' in timestamp) return request.header(timestamp.header);
  return parts.find((part) => part.startsWith(timestamp.part))?.slice(timestamp.part.length);
}

function millisecondsOf(timestamp: string | undefined, unit: 's' | 'ms'): number | undefined {
  if (timestamp === undefined || !/^\d{1,14}$/.test(timestamp)) return undefined;
  return Number(timestamp) * (unit === 's' ? 1000 : 1);
}

function decoded(text: string, encoding: SignatureEncoding): Buffer {
  const form = encoding === 'hex' ? /^[0-9a-fA-F]+$/ : /^[A-Za-z0-9+/]+={0,2}$/;
  return form.test(text) ? Buffer.from(text, encoding) : Buffer.alloc(0);
}

/** Of another length there is nothing to learn: how long a signature is, everybody knows. */
const sameBytes = (one: Buffer, other: Buffer): boolean => one.length === other.length && timingSafeEqual(one, other);

interface Signed {
  readonly body: Uint8Array;
  readonly timestamp: string | undefined;
  readonly id: string | undefined;
}

function signatureBytes(row: SignatureRow, secret: string, { body, timestamp, id }: Signed): Buffer {
  const key = row.key === 'whsec' ? Buffer.from(secret.replace(/^whsec_/, ''), 'base64') : secret;
  const hmac = createHmac(row.algorithm, key);
  for (const piece of row.content.split(/(\{body\}|\{timestamp\}|\{id\})/)) {
    if (piece === '{body}') hmac.update(body);
    else if (piece === '{timestamp}') hmac.update(timestamp ?? '');
    else if (piece === '{id}') hmac.update(id ?? '');
    else hmac.update(piece);
  }
  // A text, whose characters are its bytes, is made in less time than a buffer.
  return Buffer.from(hmac.digest('binary'), 'binary');
}

/** The headers with which a sender proves itself. */
export function sign(
  scheme: SignatureScheme,
  secret: string,
  { body, nowMs, id }: { readonly body: Uint8Array; readonly nowMs: number; readonly id: string },
): Record<string, string> {
  if (scheme.scheme === 'bearer') return { authorization: `Bearer ${secret}` };
  const row = rowOf(scheme);
  if (row === undefined) return {};
  const timestamp = String(row.timestampUnit === 'ms' ? nowMs : Math.floor(nowMs / 1000));
  const signature = `${row.prefix}${signatureBytes(row, secret, { body, timestamp, id }).toString(row.encoding)}`;
  const stamp = row.timestamp;
  return {
    ...(row.idHeader === undefined ? {} : { [row.idHeader]: id }),
    ...(stamp !== undefined && 'header' in stamp ? { [stamp.header]: timestamp } : {}),
    [row.header]: stamp !== undefined && 'part' in stamp ? `${stamp.part}${timestamp},${signature}` : signature,
  };
}
