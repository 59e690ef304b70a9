// The file of the state folder in which the audit log outlives the daemon: one line an entry, within a bound, with the
// file before it kept beside it.
import { appendFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditEntry } from '../../protocol/operations/audit.ts';
import type { Logger } from '../telemetry/daemon-log.ts';

const maxBytes = 1024 * 1024;

export class AuditFile {
  readonly #path: string;
  readonly #log: Logger;
  #bytes: number;

  constructor(stateFolder: string, log: Logger) {
    this.#path = join(stateFolder, 'audit.ndjson');
    this.#log = log;
    this.#bytes = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Actions are few: each is written at once. A disk that does not take it is told of, and the action goes on. */
  write(entry: AuditEntry): void {
    const line = `${JSON.stringify(entry)}\n`;
    try {
      if (this.#bytes + line.length > maxBytes) {
        renameSync(this.#path, this.#path.replace(/ndjson$/, '1.ndjson'));
        this.#bytes = 0;
      }
      appendFileSync(this.#path, line, { mode: 0o600 });
      this.#bytes += line.length;
    } catch (error) {
      this.#log.warn(
        { err: error instanceof Error ? error.message : String(error) },
        'the audit log cannot be written',
      );
    }
  }
}
