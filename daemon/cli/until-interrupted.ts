// A command that follows something ends by Ctrl-C, which is how it is meant to end, or by the daemon's end, which is
// told.
import type { Client } from '../../protocol/client/client.ts';
import { HostError } from '../../protocol/errors.ts';

export async function untilInterrupted(client: Client): Promise<void> {
  const interrupted = Symbol('interrupted');
  let interrupt = (): void => undefined;
  const signal = new Promise<typeof interrupted>((resolve) => {
    interrupt = () => resolve(interrupted);
  });
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const first = await Promise.race([signal, client.closed]);
  process.removeListener('SIGINT', interrupt).removeListener('SIGTERM', interrupt);
  if (first !== interrupted) throw new HostError('connection_closed', 'The daemon closed the connection.');
}
