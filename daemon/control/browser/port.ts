// How an address and a port are written, and what is said where they cannot be listened on.
import { isIP } from 'node:net';
import { HostError } from '../../../protocol/errors.ts';

export const inUrl = (address: string): string => (isIP(address) === 6 ? `[${address}]` : address);

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken by another program; end it, or set another http.port (0 takes any free one)',
  EACCES: 'may not be listened on by this user; set an http.port above 1023',
  EADDRNOTAVAIL: 'is no address of this machine; set another http.host',
};

export function portUnusable(host: string, port: number, reason: string): HostError {
  const where = `${inUrl(host)}:${String(port)}`;
  return new HostError(
    'port_unusable',
    `${where} ${reasons[reason] ?? `cannot be listened on (${reason}); set another http.port or http.host`}.`,
    { host, port, reason },
  );
}
