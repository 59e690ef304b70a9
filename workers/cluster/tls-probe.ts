// Asks a server that did not answer over TLS why. With TLS 1.3 a server refuses the certificate of its client only when
// the handshake is over for the client, and the NATS client does not pass that on: it waits until its time is over.
import { type Socket, connect as connectPlain } from 'node:net';
import { type TLSSocket, connect as connectEncrypted } from 'node:tls';
import type { TlsOptions } from '@nats-io/transport-node';

const defaultPort = 4222;
/** Of the server's greeting. */
const mostBytes = 64 * 1024;

/** Resolves to what ended the encrypted connection; undefined where nothing did, or no connection was made. */
export async function tlsRefusal(server: string, tls: TlsOptions, withinMs: number): Promise<Error | undefined> {
  const url = new URL(`tcp://${server.replace(/^[a-z]+:\/\//, '')}`);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const plain = connectPlain({ host, port: url.port === '' ? defaultPort : Number(url.port) });
  const sockets: (Socket | TLSSocket)[] = [plain];
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Error | undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), withinMs);
      // That it cannot be reached is said by the client itself.
      plain.once('error', () => resolve(undefined));
      greeted(plain, () => {
        const encrypted = connectEncrypted({ ...tls, socket: plain, servername: isName(host) ? host : '' });
        sockets.push(encrypted);
        encrypted.once('error', resolve);
        encrypted.once('close', () => resolve(undefined));
        encrypted.resume();
      });
    });
  } finally {
    clearTimeout(timer);
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      socket.destroy();
    }
  }
}

/** The server speaks first, in plain text, and then waits for the handshake. */
function greeted(plain: Socket, then: () => void): void {
  let bytes = 0;
  const heard = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes > mostBytes) plain.destroy();
    if (!chunk.includes('\n')) return;
    plain.off('data', heard);
    then();
  };
  plain.on('data', heard);
}

const isName = (host: string): boolean => !/^[\d.]+$/.test(host) && !host.includes(':');
