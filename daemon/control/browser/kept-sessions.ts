// The sessions of browsers in the state folder, so that a page goes on when the daemon comes back. What is kept of each
// is the digest of its secret, by which nobody can sign in, in a file for this user alone.
import { renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { readBoundedText } from '../../files/bounded-file.ts';
import { makeFolders } from '../../files/make-folders.ts';
import type { ControlLog } from '../control-log.ts';

const maxFileBytes = 4 * 1024 * 1024;

const keptSession = z.strictObject({
  digest: z.string().length(43),
  readOnly: z.boolean(),
  scope: z.enum(['browse', 'operate']),
  endsAt: z.int(),
});
export type KeptSession = z.output<typeof keptSession>;

export class KeptSessions {
  readonly #path: string;
  readonly #log: ControlLog;

  constructor(stateFolder: string, log: ControlLog) {
    this.#path = join(stateFolder, 'browser', 'sessions.json');
    this.#log = log;
  }

  read(): KeptSession[] {
    const file = readBoundedText(this.#path, { maxBytes: maxFileBytes });
    if (!file.ok) return [];
    try {
      return z.array(keptSession).safeParse(JSON.parse(file.text)).data ?? [];
    } catch {
      // Not what was written: whoever was signed in signs in again.
      return [];
    }
  }

  /** Sign-ins are few. What cannot be kept costs a browser its session at the next restart, and no more. */
  write(sessions: readonly KeptSession[]): void {
    try {
      makeFolders(dirname(this.#path));
      const next = `${this.#path}.new`;
      writeFileSync(next, JSON.stringify(sessions), { mode: 0o600 });
      renameSync(next, this.#path);
    } catch (error) {
      this.#log.warn({ err: error instanceof Error ? error.message : String(error) }, 'sessions cannot be kept');
    }
  }
}
