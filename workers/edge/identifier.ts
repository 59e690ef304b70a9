// Makes an identifier of what a sender calls something.
import { createHash } from 'node:crypto';
import { openIdForm } from '../../protocol/identifier-forms.ts';

/** What is no identifier is known by its hash. */
export const identifier = (text: string): string =>
  openIdForm.test(text) ? text : `sha256:${createHash('sha256').update(text).digest('hex')}`;
