// What a manifest may ask for that this daemon does not act on yet. It is accepted, so that one manifest serves
// several versions, and said, so that nobody relies on it. The list shrinks as the daemon grows.
import type { Manifest } from '../../protocol/manifest.ts';

/** From this version on Node adds the working folder to what a restricted thread may read. */
const threadsReadAround = Number(process.versions.node.split('.')[0]) >= 22;

export function notesOn({ isolation, permissions, service, profiles }: Manifest): string[] {
  const notes: string[] = [];
  if (threadsReadAround && permissions !== undefined && (service !== undefined || profiles.length > 0) && isolation === 'thread') {
    notes.push(`permissions: Node ${process.versions.node} lets a thread read what lies under the daemon's own working folder too; isolation "process" holds the grants exactly.`);
  }
  return notes;
}
