// Bounds that make sense only together. Kept out of the schema, so that each field can be described by itself.
import type { Issue } from '../../protocol/errors.ts';
import type { Config, Limits } from './schema.ts';

interface Ordered {
  readonly smaller: keyof Limits;
  readonly larger: keyof Limits;
  readonly strictly?: boolean;
  readonly because: string;
}

const order: readonly Ordered[] = [
  { smaller: 'eventBytes', larger: 'lineBytes', because: 'an event arrives in one line' },
  { smaller: 'toolInputBytes', larger: 'lineBytes', because: 'an input arrives in one line' },
  { smaller: 'toolOutputBytes', larger: 'answerBytes', because: 'an output leaves in one answer' },
  { smaller: 'abortGraceMs', larger: 'killMs', strictly: true, because: 'a cell is asked before it is ended' },
  { smaller: 'killMs', larger: 'shutdownMs', strictly: true, because: 'cells end before the daemon does' },
];

export function crossChecks({ limits }: Config): Issue[] {
  return order
    .filter(({ smaller, larger, strictly }) => limits[smaller] > limits[larger] || (strictly === true && limits[smaller] === limits[larger]))
    .map(({ smaller, larger, strictly, because }) => ({
      path: `limits.${smaller}`,
      message: `${String(limits[smaller])} must ${strictly === true ? 'be less than' : 'not be more than'} limits.${larger} (${String(limits[larger])}), because ${because}; lower it or raise the other`,
    }));
}
