// What a manifest may ask for that this daemon does not act on yet. It is accepted, so that one manifest serves
// several versions, and said, so that nobody relies on it. The list shrinks as the daemon grows.
import type { Manifest } from '../../protocol/manifest.ts';

export function notesOn({ isolation, service, profiles }: Manifest): string[] {
  const notes: string[] = [];
  if (service !== undefined && isolation === 'process') {
    notes.push('isolation "process" is not acted on yet: the service runs in a thread, which a native crash or an out-of-memory abort can leave.');
  }
  if (profiles.length > 0) notes.push('profiles are not acted on yet: no worker can run them.');
  return notes;
}
