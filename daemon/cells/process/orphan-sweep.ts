// At the daemon's start: ends the cells that an earlier life left behind. Their watchdogs have ended them already in
// all but the strangest cases; what is found here all the same is ended with all it has started.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readBoundedText } from '../../files/bounded-file.ts';
import { isAlive, isSurelyAlive } from '../../isolates/process-identity.ts';
import type { Logger } from '../../telemetry/daemon-log.ts';
import { type CellRecord, cellRecord, recordsFolder } from './cell-records.ts';
import { signalGroup } from '../../isolates/child-signals.ts';
import { killTree } from '../../isolates/process-tree.ts';

const maxRecordBytes = 4096;
const maxRecords = 10_000;

/** Never rejects, and never ends a process whose identity is not that of the record. */
export async function sweepOrphans(stateFolder: string, log: Logger): Promise<void> {
  const folder = recordsFolder(stateFolder);
  for (const name of await namesIn(folder, log)) {
    const path = join(folder, name);
    const record = read(path);
    // Two daemons may share a state folder: what belongs to one that lives is its own.
    if (record !== undefined && isAlive(record.daemon)) continue;
    if (record !== undefined && isSurelyAlive(record.cell)) {
      killTree(record.cell.pid);
      // A service's cell leads a group; a tool's has none of its own.
      signalGroup(record.cell.pid, 'SIGKILL');
      log.warn(
        { plugin: record.name, pid: record.cell.pid },
        'a cell of an earlier daemon was still there and has been ended',
      );
    }
    await forget(path, log);
  }
}

async function namesIn(folder: string, log: Logger): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.json')).slice(0, maxRecords);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn({ folder, err: String(error) }, 'the records of cells cannot be read');
    return [];
  }
}

/** Undefined for what is torn or no record: nobody can be found by it. */
function read(path: string): CellRecord | undefined {
  const file = readBoundedText(path, { maxBytes: maxRecordBytes });
  if (!file.ok) return undefined;
  try {
    return cellRecord.parse(JSON.parse(file.text));
  } catch {
    // Torn by the daemon's end in the middle of writing it.
    return undefined;
  }
}

async function forget(path: string, log: Logger): Promise<void> {
  try {
    await rm(path, { force: true, recursive: true });
  } catch (error) {
    log.warn({ path, err: String(error) }, 'the record of a cell cannot be removed');
  }
}
