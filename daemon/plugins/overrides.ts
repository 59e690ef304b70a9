// Lays what the operator configures for a plugin over what its manifest declares. An override that hits nothing is a
// fault, because silently ignoring it would leave the operator believing in a bound that does not hold.
import { isDeepStrictEqual } from 'node:util';
import type * as z from 'zod';
import type { Issue } from '../../protocol/errors.ts';
import { issuesOf, nearest } from '../../protocol/issues.ts';
import type { Manifest, McpSection, ServiceSection } from '../../protocol/manifest.ts';
import { type Output, operatorOutput, outputIssues } from '../../protocol/outputs.ts';
import { type Source, operatorSource, sourceIssues } from '../../protocol/sources.ts';
import { wordingOf } from '../../protocol/wording.ts';
import type { PluginOverride } from '../config/schema.ts';

export interface Overridden {
  readonly manifest: Manifest;
  /** Only what the override really changed: `limits.heapMb`, `service.queue.capacity`, `tools.greet.timeoutMs`. */
  readonly overridden: readonly string[];
  readonly issues: readonly Issue[];
}

export function applyOverride(declared: Manifest, override: PluginOverride): Overridden {
  const overridden: string[] = [];
  const issues: Issue[] = [];
  const where = `plugins.overrides.${declared.id}`;

  const lay = <Section extends object>(path: string, section: Section, over: Partial<Section> | undefined): Section => {
    const changed = Object.entries(over ?? {}).filter(
      ([key, value]) => value !== undefined && !isDeepStrictEqual(section[key as keyof Section], value),
    );
    for (const [key] of changed) overridden.push(path === '' ? key : `${path}.${key}`);
    return { ...section, ...Object.fromEntries(changed) };
  };

  const layService = (service: ServiceSection | undefined): ServiceSection | undefined => {
    if (service !== undefined) {
      return {
        ...lay('service', service, serviceFields(override)),
        queue: lay('service.queue', service.queue, override.queue),
        timeouts: lay('service.timeouts', service.timeouts, override.timeouts),
        restart: lay('service.restart', service.restart, override.restart),
        retry: lay('service.retry', service.retry, override.retry),
        sources: layRows('source', service.sources, operatorSource, (rows) => sourceIssues(rows, service.ingresses)),
        outputs: layRows('output', service.outputs, operatorOutput, (rows) => outputIssues(rows, service)),
      };
    }
    for (const section of ofServices) {
      if (override[section] !== undefined)
        issues.push({ path: `${where}.${section}`, message: withoutService(section, declared.mcp !== undefined) });
    }
    return undefined;
  };

  /** Of sources and outputs: each field that the override names replaces the manifest's as a whole. */
  const layRows = <Row extends Source | Output>(
    what: 'source' | 'output',
    rows: readonly Row[],
    schema: z.ZodType<Row>,
    issuesOfAll: (rows: readonly Row[]) => readonly { path: (string | number)[]; message: string }[],
  ): Row[] => {
    const place = `${where}.${what}s`;
    const laid = overriddenRows(what, rows, schema, override[`${what}s`] ?? {}, place);
    overridden.push(...laid.overridden);
    issues.push(...laid.issues);
    if (laid.issues.length === 0)
      for (const { path, message } of issuesOfAll(laid.rows))
        issues.push({ path: `${place}.${rows[Number(path[0])]?.name ?? ''}.${path.slice(1).join('.')}`, message });
    return laid.rows;
  };

  const layNamed = <Row extends { readonly name: string }>(
    what: 'tool' | 'profile',
    rows: readonly Row[],
    overrides: Readonly<Record<string, Partial<Row>>> = {},
  ): Row[] => {
    const names = rows.map(({ name }) => name);
    const over = new Map(Object.entries(overrides));
    for (const name of over.keys()) {
      if (!names.includes(name))
        issues.push({ path: `${where}.${what}s.${name}`, message: unknownName(what, name, names) });
    }
    return rows.map((row) => lay(`${what}s.${row.name}`, row, over.get(row.name)));
  };

  const { isolation, env, permissions } = override;
  // Each replaces what the manifest says as a whole: a grant of the manifest's must not outlive the operator's own
  // list.
  const top = lay('', declared, {
    ...(isolation === undefined ? {} : { isolation }),
    ...(env === undefined ? {} : { env }),
    ...(permissions === undefined ? {} : { permissions }),
  });
  const manifest: Manifest = {
    ...top,
    limits: lay('limits', top.limits, override.limits),
    tools: layNamed('tool', top.tools, override.tools),
    profiles: layNamed('profile', top.profiles, override.profiles),
  };
  const service = layService(declared.service);
  const mcp = declared.mcp === undefined ? undefined : layServer(declared.mcp, override.mcp, lay);
  if (mcp === undefined && override.mcp !== undefined)
    issues.push({ path: `${where}.mcp`, message: 'the plugin hosts no MCP server; remove this override' });
  return {
    manifest: { ...manifest, ...(service === undefined ? {} : { service }), ...(mcp === undefined ? {} : { mcp }) },
    overridden,
    issues,
  };
}

type Lay = <Section extends object>(path: string, section: Section, over: Partial<Section> | undefined) => Section;

const layServer = (mcp: McpSection, over: PluginOverride['mcp'], lay: Lay): McpSection => ({
  ...lay('mcp', mcp, over?.concurrency === undefined ? {} : { concurrency: over.concurrency }),
  timeouts: lay('mcp.timeouts', mcp.timeouts, over?.timeouts),
  restart: lay('mcp.restart', mcp.restart, over?.restart),
});

const withoutService = (section: string, hosts: boolean): string =>
  hosts && (section === 'timeouts' || section === 'restart')
    ? `the plugin hosts an MCP server; write this as mcp.${section}`
    : 'the plugin has no service; remove this override';

const ofServices = ['queue', 'timeouts', 'restart', 'retry', 'reload', 'placement', 'sources', 'outputs'] as const;

const serviceFields = ({ reload, placement }: PluginOverride): Partial<ServiceSection> => ({
  ...(reload === undefined ? {} : { reload }),
  ...(placement === undefined ? {} : { placement }),
});

function overriddenRows<Row extends Source | Output>(
  what: 'source' | 'output',
  rows: readonly Row[],
  schema: z.ZodType<Row>,
  overrides: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  where: string,
): { rows: Row[]; overridden: string[]; issues: Issue[] } {
  const overridden: string[] = [];
  const names = rows.map(({ name }) => name);
  const issues = Object.keys(overrides)
    .filter((name) => !names.includes(name))
    .map((name): Issue => ({ path: `${where}.${name}`, message: unknownName(what, name, names) }));
  const laid = rows.map((row) => {
    const over = Object.hasOwn(overrides, row.name) ? (overrides[row.name] ?? {}) : {};
    const path = `${where}.${row.name}`;
    for (const fixed of ['name', 'type'])
      if (fixed in over)
        issues.push({ path: `${path}.${fixed}`, message: "is the manifest's alone; remove it from the override" });
    const merged = schema.safeParse({ ...row, ...over }, { error: wordingOf });
    if (!merged.success) {
      for (const issue of issuesOf(merged.error, schema))
        issues.push({ path: issue.path === '' ? path : `${path}.${issue.path}`, message: issue.message });
      return row;
    }
    for (const key of Object.keys(over))
      if (!isDeepStrictEqual(row[key as keyof Row], over[key])) overridden.push(`service.${what}s.${row.name}.${key}`);
    return merged.data;
  });
  return { rows: laid, overridden, issues };
}

/** What to tell of overrides whose plugin is not among the loaded ones. */
export function unusedOverrides(
  overrides: Readonly<Record<string, PluginOverride>>,
  loaded: readonly string[],
): string[] {
  return Object.keys(overrides)
    .filter((id) => !loaded.includes(id))
    .map((id) => {
      const meant = nearest(id, loaded);
      return `plugins.overrides.${id}: no plugin with this id is loaded${meant === undefined ? '' : `; did you mean "${meant}"?`}`;
    });
}

function unknownName(what: 'tool' | 'profile' | 'source' | 'output', name: string, names: readonly string[]): string {
  if (names.length === 0) return `the plugin has no ${what}s; remove this override`;
  const meant = nearest(name, names);
  return `the plugin has no such ${what}; ${meant === undefined ? `its ${what}s are ${names.slice(0, 20).join(', ')}` : `did you mean "${meant}"?`}`;
}
