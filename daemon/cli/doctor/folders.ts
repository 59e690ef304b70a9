// Where the daemon writes: the state folder and the disk under it.
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, stat, statfs, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { shellWord } from '../install.ts';
import { bytesText } from '../views/quantity.ts';
import { type Finding, fault, ok, warning } from './finding.ts';

const mib = 1024 * 1024;
const scarceBytes = 256 * mib;
const noneLeftBytes = 16 * mib;
const othersMayRead = 0o077;

/** The folder itself, or the nearest one above it that is there: it is where missing ones would be made. */
export async function nearestThere(path: string): Promise<string> {
  let at = path;
  for (;;) {
    try {
      await stat(at);
      return at;
    } catch {
      // Not there, or hidden behind something that is no folder: the one above decides.
      if (dirname(at) === at) return at;
      at = dirname(at);
    }
  }
}

export async function mayWrite(folder: string): Promise<boolean> {
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    // The answer is no, whatever the reason.
    return false;
  }
}

export async function checkStateFolder(folder: string): Promise<Finding> {
  const check = 'state folder';
  const there = await nearestThere(folder);
  const elsewhere = 'or name another folder with $NAGAYA_STATE or stateFolder in the configuration';
  const found = await stat(there);
  if (!found.isDirectory())
    return fault(
      check,
      `${there} is not a folder`,
      `Move it away: \`mv ${shellWord(there)} ${shellWord(`${there}.old`)}\`, ${elsewhere}.`,
    );
  if (!(await mayWrite(there)))
    return fault(
      check,
      `${there} cannot be written`,
      `Make it yours: \`sudo chown -R "$USER" ${shellWord(there)} && chmod u+rwx ${shellWord(there)}\`, ${elsewhere}.`,
    );
  if (there !== folder) return ok(check, `${folder} will be made at the first start`);
  const refused = await tryWriting(folder);
  if (refused !== undefined)
    return fault(check, `nothing can be written in ${folder}: ${refused}`, `Free space or remount it, ${elsewhere}.`);
  if ((found.mode & othersMayRead) !== 0)
    return warning(
      check,
      `${folder} can be read by other users of this machine, and logs are in it`,
      `\`chmod 700 ${shellWord(folder)}\``,
    );
  return ok(check, folder);
}

async function tryWriting(folder: string): Promise<string | undefined> {
  const path = join(folder, `.doctor-${randomUUID()}`);
  try {
    await writeFile(path, 'written by nagaya doctor\n', { flag: 'wx', mode: 0o600 });
    await unlink(path);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}

export async function checkDisk(
  folder: string,
  freeBytesOf: (folder: string) => Promise<number> = freeBytes,
): Promise<Finding> {
  const there = await nearestThere(folder);
  const free = await freeBytesOf(there);
  const remedy = `Free space: \`du -xh ${shellWord(there)} | sort -h | tail\` shows what takes it.`;
  if (free < noneLeftBytes)
    return fault('disk', `only ${bytesText(free)} are left for ${folder}: logs and state cannot be kept`, remedy);
  if (free < scarceBytes) return warning('disk', `${bytesText(free)} are left for ${folder}`, remedy);
  return ok('disk', `${bytesText(free)} free for ${folder}`);
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
