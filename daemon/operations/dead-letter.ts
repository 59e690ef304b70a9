// What the operations on dead letters do.
import { HostError } from '../../protocol/errors.ts';
import type { deadLetterOperations } from '../../protocol/operations/dead-letter.ts';
import type { Handlers } from './caller.ts';
import type { Host } from '../host/host.ts';

export function deadLetterHandlers(host: Host): Pick<Handlers, keyof typeof deadLetterOperations> {
  return {
    'deadLetter.list': ({ plugin: id, after, limit }) => host.get(id).requireDeadLetters().list(after, limit),
    'deadLetter.show': ({ plugin: id, id: letter }) => ({ deadLetter: host.get(id).requireDeadLetters().get(letter) }),
    'deadLetter.replay': async ({ plugin: id, ids, payload }) => {
      // A daemon that dies while it is replayed must find it again.
      await host.get(id).requireDeadLetters().written();
      if (payload === undefined) return { results: await host.get(id).replay(ids) };
      if (ids?.length !== 1)
        throw new HostError('invalid_request', 'A payload is given for one dead letter: name exactly one.', {
          issues: [{ path: 'ids', message: 'must name exactly one where a payload is given' }],
        });
      return { results: await host.get(id).replay(ids, { payload }) };
    },
    'deadLetter.discard': async ({ plugin: id, ids }) => {
      const letters = host.get(id).requireDeadLetters();
      const discarded = letters.discard(ids);
      await letters.written();
      return { discarded };
    },
  };
}
