// What to do about an error, for whoever reads it: the remedy of the registry, with what the error's details and the
// command line know in place of its placeholders.
import { type ErrorDetails, type HostError, errorKinds } from '../../protocol/errors.ts';
import { shellWord } from './install.ts';

/** The arguments of a command by their names, such as `plugin` and `folder`. */
export type NamedArguments = Readonly<Record<string, unknown>>;

/** The words that stand for something in the registry's remedies, and under which names it is known. */
const placeholders: Readonly<Record<string, { readonly details: readonly string[]; readonly argument: string }>> = {
  ID: { details: ['plugin', 'pluginId'], argument: 'plugin' },
  DIR: { details: ['folder', 'path'], argument: 'folder' },
  RUNTIME: { details: ['runtimeId'], argument: 'runtime' },
  WORKER: { details: ['workerId'], argument: 'worker' },
};

/** A placeholder that nothing is known for stays as it is. */
export function remedyOf(error: HostError, named: NamedArguments = {}): string {
  const { remedy } = errorKinds[error.code];
  const { instead } = error.details;
  if (error.code === 'unsupported_operation')
    return typeof instead === 'string' ? `Use ${instead} instead.` : 'See `nagaya --help` for what there is.';
  const plugin = wordFor('ID', error.details, named);
  return remedy.replace('<id>', plugin ?? '<id>').replaceAll(/\b(?:ID|DIR|RUNTIME|WORKER)\b/g, (placeholder) => {
    const word = wordFor(placeholder, error.details, named);
    return word === undefined ? placeholder : shellWord(word);
  });
}

function wordFor(placeholder: string, details: ErrorDetails, named: NamedArguments): string | undefined {
  const known = placeholders[placeholder];
  const values = known === undefined ? [] : [...known.details.map((key) => details[key]), named[known.argument]];
  return values.find((value): value is string => typeof value === 'string' && value !== '');
}
