// What the operations on dead letters do.
import type { deadLetterOperations } from '../../protocol/operations/dead-letter.ts';
import type { Handlers } from './caller.ts';
import type { Host } from '../host/host.ts';

export function deadLetterHandlers(host: Host): Pick<Handlers, keyof typeof deadLetterOperations> {
  return {
    'deadLetter.list': ({ plugin: id, after, limit }) => host.get(id).requireDeadLetters().list(after, limit),
    'deadLetter.show': ({ plugin: id, id: letter }) => ({ deadLetter: host.get(id).requireDeadLetters().get(letter) }),
    'deadLetter.replay': ({ plugin: id, ids }) => ({ results: host.get(id).replay(ids) }),
    'deadLetter.discard': ({ plugin: id, ids }) => ({ discarded: host.get(id).requireDeadLetters().discard(ids) }),
  };
}
