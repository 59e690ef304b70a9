// Where the control socket is when nobody says: the daemon and its clients must come to the same answer.
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/** The kernel's own bound on a unix socket's path; Node 20 would cut a longer one and listen elsewhere. */
export const maxSocketPathBytes = process.platform === 'darwin' ? 103 : 107;

export function defaultSocketPath(env: Readonly<Record<string, string | undefined>> = process.env): string {
  if (env['NAGAYA_SOCKET']) return env['NAGAYA_SOCKET'];
  if (env['XDG_RUNTIME_DIR']) return join(env['XDG_RUNTIME_DIR'], 'nagaya', 'nagaya.sock');
  return join(tmpdir(), `nagaya-${String(userInfo().uid)}`, 'nagaya.sock');
}
