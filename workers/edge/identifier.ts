// Makes identifiers of what a sender calls something.
import { createHash } from 'node:crypto';
import type { EdgeEvent } from '../../protocol/edge/messages.ts';
import { openIdForm } from '../../protocol/identifier-forms.ts';

/** What is no identifier is known by its hash. */
export const identifier = (text: string): string =>
  openIdForm.test(text) ? text : `sha256:${createHash('sha256').update(text).digest('hex')}`;

export type SenderNames = Pick<EdgeEvent, 'senderId' | 'correlationId' | 'orderKey'>;

/** Of the sender's id of an event, and of the key that it is in order by; an empty one is none. */
export const senderNames = (id: string | number = '', key: string | number = ''): SenderNames => ({
  ...(id === '' ? {} : { senderId: identifier(String(id)), correlationId: identifier(String(id)) }),
  ...(key === '' ? {} : { orderKey: identifier(String(key)) }),
});
