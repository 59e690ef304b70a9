// Turns what the validator of JSON Schemas found into the words in which the daemon tells of its own fields. A form of
// several that does not fit leaves findings of its own: they become part of what is said of the whole.
import type { Ajv2020 } from 'ajv/dist/2020.js';
import { type Issue, issueText } from '../protocol/errors.ts';
import { pathText } from '../protocol/paths.ts';
import {
  type Bound,
  noFormFits,
  notMultiple,
  outOfBounds,
  wrongName,
  wrongPattern,
  wrongType,
  wrongValue,
} from '../protocol/value-words.ts';

export type Finding = NonNullable<Ajv2020['errors']>[number];

const maxIssues = 20;
/** Of what a hostile value can be wrong in, no more is looked at. */
const maxFindings = 1000;

type Step = string | number;

interface Worded extends Issue {
  readonly steps: readonly Step[];
  readonly finding: Finding;
}

export function issuesOfFindings(findings: readonly Finding[], value: unknown): Issue[] {
  const worded: Worded[] = [];
  for (const finding of findings.slice(0, maxFindings)) add(worded, finding, value);
  const distinct = new Map(worded.map(({ path, message }) => [`${path}\n${message}`, { path, message }]));
  return [...distinct.values()].slice(0, maxIssues);
}

function add(worded: Worded[], finding: Finding, root: unknown): void {
  const place = placeOf(finding.instancePath, root);
  const { steps } = place;
  // A name that is checked is no value of the whole's.
  const value = finding.propertyName ?? place.value;
  const say = (message: string, at = steps): void =>
    void worded.push({ steps: at, path: pathText(at), message, finding });
  const params = finding.params as Readonly<Record<string, unknown>>;
  switch (finding.keyword) {
    case 'required':
      return say('is missing', [...steps, String(params['missingProperty'])]);
    case 'dependentRequired':
    case 'dependencies':
      return say(`is missing; it must be there where ${JSON.stringify(params['property'])} is`, [
        ...steps,
        String(params['missingProperty']),
      ]);
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return say('is not a key that is known here', [
        ...steps,
        String(params['additionalProperty'] ?? params['unevaluatedProperty']),
      ]);
    case 'propertyNames': {
      const [inner] = parts(
        worded,
        finding,
        ({ finding: { propertyName, instancePath } }) =>
          propertyName === params['propertyName'] && instancePath === finding.instancePath,
      );
      return say(wrongName(inner?.message ?? 'does not fit'), [...steps, String(params['propertyName'])]);
    }
    case 'anyOf':
    case 'oneOf': {
      const inner = parts(worded, finding);
      return say(
        Array.isArray(params['passingSchemas'])
          ? 'fits more than one of the forms of which it must have exactly one'
          : noForm(inner, steps, value),
      );
    }
    case 'contains':
      parts(worded, finding);
      return say(contained(params));
    case 'if':
      // What was wrong with that branch is told already.
      return worded.length > 0 &&
        worded
          .at(-1)
          ?.finding.schemaPath.startsWith(
            `${finding.schemaPath.slice(0, -'if'.length)}${String(params['failingKeyword'])}`,
          ) === true
        ? undefined
        : say(`does not fit what \`${String(params['failingKeyword'])}\` asks for`);
    default:
      return say(ofOneValue(finding, params, value));
  }
}

/**
 * Takes back what was found in the parts of a keyword; a part that stands elsewhere in the schema keeps its own
 * finding.
 */
function parts(worded: Worded[], { schemaPath }: Finding, also: (one: Worded) => boolean = () => false): Worded[] {
  let from = worded.length;
  for (; from > 0; from -= 1) {
    const one = worded[from - 1];
    if (one === undefined || !(one.finding.schemaPath.startsWith(`${schemaPath}/`) || also(one))) break;
  }
  return worded.splice(from);
}

function noForm(inner: readonly Worded[], steps: readonly Step[], value: unknown): string {
  const types = inner
    .filter(({ finding, steps: at }) => finding.keyword === 'type' && at.length === steps.length)
    .map(({ finding }) => typesOf(finding.params['type']));
  // Of a value of a type that is allowed, its other faults are what matters.
  const rest = inner.filter(({ finding, steps: at }) => finding.keyword !== 'type' || at.length > steps.length);
  if (rest.length === 0 && types.length > 0) return wrongType(types.flat(), value);
  return noFormFits(
    rest.map(({ steps: at, message }) => issueText({ path: pathText(at.slice(steps.length)), message })),
  );
}

const typesOf = (type: unknown): string[] => (Array.isArray(type) ? type.map(String) : String(type).split(','));

function contained(params: Readonly<Record<string, unknown>>): string {
  const { minContains = 1, maxContains } = params as { minContains?: number; maxContains?: number };
  const most = maxContains === undefined ? '' : ` and at most ${String(maxContains)}`;
  return `must have at least ${String(minContains)}${most} ${(maxContains ?? minContains) === 1 ? 'entry' : 'entries'} of the form that \`contains\` asks for`;
}

const comparisons: Readonly<Record<string, Bound>> = {
  '>=': 'at least',
  '<=': 'at most',
  '>': 'more than',
  '<': 'less than',
};

function ofOneValue(finding: Finding, params: Readonly<Record<string, unknown>>, value: unknown): string {
  const { limit } = params as { limit: number };
  switch (finding.keyword) {
    case 'type':
      return wrongType(typesOf(params['type']), value);
    case 'enum':
      return wrongValue(params['allowedValues'] as unknown[], value);
    case 'const':
      return wrongValue([params['allowedValue']], value);
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return outOfBounds('number', comparisons[String(params['comparison'])] ?? 'at least', limit, value as number);
    case 'multipleOf':
      return notMultiple(params['multipleOf'] as number, value);
    case 'minLength':
    case 'maxLength':
      return outOfBounds(
        'string',
        finding.keyword === 'minLength' ? 'at least' : 'at most',
        limit,
        codePoints(value as string),
      );
    case 'minItems':
    case 'maxItems':
      return outOfBounds(
        'array',
        finding.keyword === 'minItems' ? 'at least' : 'at most',
        limit,
        (value as unknown[]).length,
      );
    case 'items':
    case 'unevaluatedItems':
      return outOfBounds('array', 'at most', (params['limit'] ?? params['len']) as number, (value as unknown[]).length);
    case 'minProperties':
    case 'maxProperties':
      return outOfBounds(
        'object',
        finding.keyword === 'minProperties' ? 'at least' : 'at most',
        limit,
        Object.keys(value as object).length,
      );
    case 'uniqueItems':
      return `must not have the same entry twice, but entries ${String(params['j'])} and ${String(params['i'])} are the same`;
    case 'pattern':
      return wrongPattern(String(params['pattern']));
    case 'not':
      return 'has the form that `not` excludes';
    case 'false schema':
      return 'is not allowed here';
    default:
      return finding.message ?? `does not fit \`${finding.keyword}\``;
  }
}

function codePoints(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) count += 1;
  return count;
}

/** A step into a list is a number, one into an object a name, whatever it looks like. */
function placeOf(pointer: string, root: unknown): { readonly steps: Step[]; readonly value: unknown } {
  const steps: Step[] = [];
  let value = root;
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    steps.push(Array.isArray(value) ? Number(name) : name);
    value =
      typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
  }
  return { steps, value };
}
