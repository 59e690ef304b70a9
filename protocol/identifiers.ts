// The forms of every identifier that crosses a wire, in one place, so that a path, a file name or a shell argument
// built from one of them can be trusted.
import * as z from 'zod';
import { nameForm, openIdForm, pluginIdForm } from './identifier-forms.ts';
import { ownRefusal } from './parameters.ts';

export { nameForm, openIdForm, pluginIdForm };

export const pluginId = z
  .string()
  .regex(pluginIdForm, 'must be 1-128 characters of a-z 0-9 . _ - and not begin or end with a dot');

/** Names inside one plugin: ingresses, kinds, tools, profiles. */
export const localName = z
  .string()
  .regex(nameForm, 'must be 1-64 characters of A-Z a-z 0-9 . _ - and begin with a letter, digit or _');

/** Ids that callers choose: correlation ids, call ids, sources. */
export const openId = z.string().regex(openIdForm, 'must be 1-128 characters of A-Z a-z 0-9 . _ : -');

/** What names a runtime, and inside it a worker. A worker's id means nothing without its runtime's. */
export const placeId = z
  .string()
  .regex(openIdForm, 'must be 1-128 characters of A-Z a-z 0-9 . _ : -')
  .register(ownRefusal, { code: 'invalid_identifier', expected: '1-128 characters of A-Z a-z 0-9 . _ : -' });
