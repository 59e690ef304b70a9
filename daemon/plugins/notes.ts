// What a manifest may ask for that this daemon does not act on yet. It is accepted, so that one manifest serves
// several versions, and said, so that nobody relies on it. The list shrinks as the daemon grows.
import { isDeepStrictEqual } from 'node:util';
import { type Manifest, serviceSection } from '../../protocol/manifest.ts';

const defaultRestart = serviceSection.shape.restart.parse(undefined);
const defaultRetry = serviceSection.shape.retry.parse(undefined);

export function notesOn({ isolation, service, profiles }: Manifest): string[] {
  const notes: string[] = [];
  if (service !== undefined && isolation === 'process') {
    notes.push('isolation "process" is not acted on yet: the service runs in a thread, which a native crash or an out-of-memory abort can leave.');
  }
  if (service !== undefined && !isDeepStrictEqual(service.restart, defaultRestart)) {
    notes.push('service.restart is not acted on yet: a service that failed stays failed until it is started again.');
  }
  if (service !== undefined && !isDeepStrictEqual(service.retry, defaultRetry)) {
    notes.push('service.retry is not acted on yet: an event whose cell died under it is not delivered again.');
  }
  if (profiles.length > 0) notes.push('profiles are not acted on yet: no worker can run them.');
  return notes;
}
