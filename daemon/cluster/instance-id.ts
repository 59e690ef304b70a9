// By what the members of a cluster know this daemon again after a restart: its state folder's own id. A daemon that
// comes back need not wait until its earlier life is missed.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { writeAtomically } from '../files/atomic-file.ts';
import { readBoundedText } from '../files/bounded-file.ts';

const form = /^[0-9a-f-]{36}$/;

export async function instanceId(stateFolder: string): Promise<string> {
  const path = join(stateFolder, 'cluster-instance');
  const found = readBoundedText(path, { maxBytes: 1024 });
  const text = found.ok ? found.text.trim() : '';
  if (form.test(text)) return text;
  const made = randomUUID();
  await writeAtomically(path, [`${made}\n`]);
  return made;
}
