// Why a remote daemon did not answer, in this program's own words: neither the library nor the other side words them,
// and none of them holds an address or the token.
import { HostError } from '../../protocol/errors.ts';

const systemCode = /^[A-Z_0-9]{1,60}$/;

export const unreachable = (id: string, thrown: unknown): HostError => {
  const code: unknown = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  const cause = typeof code === 'string' && systemCode.test(code) ? code : 'unknown';
  return cause.startsWith('HPE_')
    ? nonsense(id, 'it does not speak HTTP')
    : new HostError('runtime_unreachable', `The daemon of the runtime ${id} cannot be reached (${cause}).`, {
        runtimeId: id,
        cause,
      });
};

export const ended = (id: string): HostError =>
  new HostError('runtime_unreachable', `The daemon of the runtime ${id} has ended the stream of events.`, {
    runtimeId: id,
    cause: 'ended',
  });

export const late = (id: string, timeoutMs: number): HostError =>
  new HostError('runtime_timeout', `The daemon of the runtime ${id} did not answer within ${String(timeoutMs)} ms.`, {
    runtimeId: id,
    timeoutMs,
  });

export const unauthorized = (id: string, why: string, reason: 'tokenFile' | 'token' | 'forbidden'): HostError =>
  new HostError('runtime_unauthorized', `The runtime ${id} is not available: ${why}.`, { runtimeId: id, reason });

/** It answers, but not as a daemon of a version that this one understands. */
export const nonsense = (id: string, why: string, details: Readonly<Record<string, unknown>> = {}): HostError =>
  new HostError('runtime_unavailable', `The runtime ${id} is unavailable: ${why}.`, {
    runtimeId: id,
    reason: 'answer',
    ...details,
  });

export const cancelled = (id: string): HostError =>
  new HostError('runtime_unavailable', `Nobody waits for the answer of the runtime ${id} any more.`, { runtimeId: id });
