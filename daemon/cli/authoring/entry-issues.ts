// What is wrong with a plugin's entry: that it cannot be imported, or does not export what the manifest declares.
// Nothing of it runs.
import type { Issue } from '../../../protocol/errors.ts';
import { nearest } from '../../../protocol/issues.ts';
import { linkEntry } from '../../isolates/entry-linking.ts';
import { findEntry } from '../../plugins/entry-file.ts';
import { type ObjectShape, type Shape, exportShapes } from './entry-shape.ts';

const shownNames = 20;
const parts = ['service', 'tools', 'profiles'] as const;

/** `manifest`: as it was written, whether it is valid or not. */
export async function entryIssues(folder: string, manifest: unknown, deadlineMs: number): Promise<Issue[]> {
  const { entry: declared } = fieldsOf(manifest);
  if (typeof declared !== 'string') return [];
  const entry = findEntry(folder, declared);
  if (!entry.ok) return [entry.issue];
  const { fault, exports, source } = await linkEntry({ folder, entry: entry.path }, deadlineMs);
  if (fault === undefined)
    return [
      ...exportIssues(manifest, exports),
      ...memberIssues(manifest, source === undefined ? new Map() : await exportShapes(source)),
    ];
  if (fault === 'deadline')
    return [{ path: 'entry', message: `cannot be read within ${String(deadlineMs)} ms, with all that it imports` }];
  return [
    {
      path: 'entry',
      message: `cannot be imported: ${fault.place === undefined ? '' : `${fault.place}: `}${fault.error}`,
    },
  ];
}

/** Which parts of a plugin the manifest declares and the module does not export. */
function exportIssues(manifest: unknown, names: readonly string[]): Issue[] {
  // A default export may hold all of them.
  if (names.includes('default') && !parts.some((part) => names.includes(part))) return [];
  const others = names.filter((name) => !parts.some((part) => part === name));
  return parts
    .filter((part) => isDeclared(fieldsOf(manifest)[part]) && !names.includes(part))
    .map((part) => ({
      path: 'entry',
      message: `exports no \`${part}\`, which plugin.json declares; ${insteadOf(part, names, others)}`,
    }));
}

function insteadOf(part: string, names: readonly string[], others: readonly string[]): string {
  const meant = nearest(part, others);
  if (meant !== undefined) return `it exports \`${meant}\`: did you mean \`${part}\`?`;
  return names.length === 0
    ? 'it exports nothing'
    : `it exports ${names
        .slice(0, shownNames)
        .map((name) => `\`${name}\``)
        .join(', ')}`;
}

/** What the parts lack, where the source tells; what only shows when they run is found then. */
function memberIssues(manifest: unknown, shapes: ReadonlyMap<string, Shape>): Issue[] {
  const inner = shapes.get('default');
  const named = parts.some((part) => shapes.has(part));
  const shapeOf = (part: string): Shape =>
    named ? shapes.get(part) : isObject(inner) ? memberOf(inner, part) : undefined;
  const { service, tools, profiles } = fieldsOf(manifest);
  return [
    ...(service === undefined ? [] : functionIssues('service', shapeOf('service'), serviceFunctions)),
    ...functionIssues('tools', shapeOf('tools'), namesIn(tools)),
    ...namesIn(profiles).flatMap((name) => profileIssues(name, shapeOf('profiles'))),
  ];
}

function functionIssues(holder: string, shape: Shape, names: readonly string[]): Issue[] {
  if (names.length === 0 || shape === undefined) return [];
  if (!isObject(shape)) return [{ path: 'entry', message: `exports \`${holder}\`, which must be an object` }];
  return names.flatMap((name) => functionIssue(holder, name, shape));
}

function functionIssue(holder: string, name: string, { members, complete }: ObjectShape): Issue[] {
  const found = members.get(name);
  if (members.has(name)) {
    return found === undefined || found === 'function'
      ? []
      : [{ path: 'entry', message: `exports \`${placeOf(holder, name)}\`, which must be a function` }];
  }
  if (!complete) return [];
  const meant = nearest(name, [...members.keys()]);
  const hint = meant === undefined ? '' : `; \`${holder}\` has \`${meant}\`: did you mean \`${name}\`?`;
  return [
    {
      path: 'entry',
      message: `exports no function \`${placeOf(holder, name)}\`${holder === 'service' ? ', which a service must have' : ', which plugin.json declares'}${hint}`,
    },
  ];
}

function profileIssues(name: string, shape: Shape): Issue[] {
  if (shape === undefined) return [];
  if (!isObject(shape)) return functionIssues('profiles', shape, [name]);
  const profile = shape.members.get(name);
  if (isObject(profile)) return functionIssue(placeOf('profiles', name), 'onInput', profile);
  if (profile === undefined && (shape.members.has(name) || !shape.complete)) return [];
  const meant = profile === undefined ? nearest(name, [...shape.members.keys()]) : undefined;
  const hint = meant === undefined ? '' : `; \`profiles\` has \`${meant}\`: did you mean \`${name}\`?`;
  return [
    {
      path: 'entry',
      message: `exports no profile \`${placeOf('profiles', name)}\` with a function \`onInput\`, which plugin.json declares${hint}`,
    },
  ];
}

const serviceFunctions = ['start', 'handleIngress'];

const isObject = (shape: Shape): shape is ObjectShape => typeof shape === 'object';

/** Of a default export: where it may hold more than it shows, what it does not show is unknown. */
const memberOf = ({ members }: ObjectShape, name: string): Shape => members.get(name);

const placeOf = (holder: string, name: string): string =>
  /^[A-Za-z_$][\w$]*$/.test(name) ? `${holder}.${name}` : `${holder}[${JSON.stringify(name)}]`;

const namesIn = (declared: unknown): string[] =>
  (Array.isArray(declared) ? declared : []).flatMap((item) =>
    typeof fieldsOf(item)['name'] === 'string' ? [fieldsOf(item)['name'] as string] : [],
  );

const isDeclared = (part: unknown): boolean => (Array.isArray(part) ? part.length > 0 : part !== undefined);

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
