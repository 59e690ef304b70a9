// Reads a plugin's folder into what the host knows of it. A plugin made this data, so it is read within bounds, and
// nothing of it is run; whatever is wrong is named by field, with what to do about it.
import { isAbsolute, join } from 'node:path';
import { HostError, type Issue, invalid } from '../../protocol/errors.ts';
import { issuesOf } from '../../protocol/issues.ts';
import { type Durability, type Manifest, manifest } from '../../protocol/manifest.ts';
import { wordingOf } from '../../protocol/wording.ts';
import { readBoundedText } from '../files/bounded-file.ts';
import type { PluginOverride } from '../config/schema.ts';
import { parseJsonText } from '../files/json-text.ts';
import { type FoundEntry, findEntry } from './entry-file.ts';
import { notesOn } from './notes.ts';
import { applyOverride } from './overrides.ts';
import { manifestName, realFolder } from './plugin-folder.ts';
import type { LoadedPlugin } from './plugin.ts';
import { reservedIdIssue } from './reserved-id.ts';

export interface ReadPluginOptions {
  /** `store.durability` of the configuration: of queues that do not say it themselves. */
  readonly durability?: Durability;
  readonly overrides: Readonly<Record<string, PluginOverride>>;
  /** `limits.manifestBytes` of the configuration. */
  readonly manifestBytes: number;
  /** The environment from which the plugin's cells get the variables that the manifest declares. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** What there is in a plugin's folder. */
export interface PluginInspection {
  /** The real path, where there is one. */
  readonly folder: string;
  /** Undefined where there are issues. */
  readonly plugin?: LoadedPlugin;
  readonly issues: readonly Issue[];
  /** The manifest as it was written, where it is JSON. */
  readonly written?: unknown;
}

/** Throws `plugin_invalid` with `details.path` and every fault found. */
export function readPlugin(folder: string, options: ReadPluginOptions): LoadedPlugin {
  const { folder: path, plugin, issues } = inspectPlugin(folder, options);
  if (plugin === undefined) throw refusedPlugin(path, issues);
  return plugin;
}

export function inspectPlugin(folder: string, options: ReadPluginOptions): PluginInspection {
  if (!isAbsolute(folder))
    return {
      folder,
      issues: [{ path: '', message: "the path of a plugin must be absolute; give the folder's full path" }],
    };
  const found = realFolder(folder);
  if (!found.ok) return { folder, issues: [{ path: '', message: found.message }] };
  const root = found.path;
  const declared = readManifest(root, options.manifestBytes);
  const { written } = declared;
  if (!declared.ok) return { folder: root, issues: declared.issues, written };
  const override = Object.hasOwn(options.overrides, declared.manifest.id)
    ? options.overrides[declared.manifest.id]
    : undefined;
  const entry = entryOf(root, declared.manifest);
  const applied = applyOverride(declared.manifest, override ?? {});
  const issues = [
    ...wholeIssues(declared.manifest, written, override),
    ...(entry.ok ? [] : [entry.issue]),
    ...applied.issues,
  ];
  if (issues.length > 0 || !entry.ok) return { folder: root, issues, written };
  const whole: Manifest =
    applied.manifest.mcp === undefined ? applied.manifest : { ...applied.manifest, isolation: 'process' };
  const plugin: LoadedPlugin = {
    id: applied.manifest.id,
    folder: root,
    entry: entry.path,
    manifest: withDurability(whole, options.durability),
    overridden: applied.overridden,
    enabled: override?.enabled ?? true,
    autostart: override?.autostart ?? true,
    config: override?.config ?? {},
    notes: notesOn(applied.manifest, options.env),
  };
  return { folder: root, plugin, issues: [], written };
}

function withDurability(read: Manifest, durability: Durability = 'disk'): Manifest {
  const { service } = read;
  return service === undefined ? read : { ...read, service: { ...service, queue: { durability, ...service.queue } } };
}

/** A hosted MCP server has none; what is said of its code is said of its manifest. */
const entryOf = (root: string, { entry }: Manifest): FoundEntry =>
  entry === undefined ? { ok: true, path: join(root, manifestName) } : findEntry(root, entry);

function wholeIssues({ id, mcp }: Manifest, written: unknown, override: PluginOverride | undefined): Issue[] {
  const reserved = reservedIdIssue(id);
  // Said, and not only the default.
  const isolation = override?.isolation ?? (written as { readonly isolation?: unknown } | undefined)?.isolation;
  return [
    ...(reserved === undefined ? [] : [reserved]),
    ...(mcp !== undefined && isolation === 'thread'
      ? [{ path: 'isolation', message: 'must be "process" beside `mcp`, or be left out' }]
      : []),
  ];
}

export function refusedPlugin(path: string, issues: readonly Issue[]): HostError {
  return new HostError('plugin_invalid', invalid('plugin_invalid', `The plugin in ${path}`, issues).message, {
    path,
    issues,
  });
}

type ReadManifest = (
  { readonly ok: true; readonly manifest: Manifest } | { readonly ok: false; readonly issues: readonly Issue[] }
) & { readonly written?: unknown };

function readManifest(root: string, manifestBytes: number): ReadManifest {
  const file = readBoundedText(join(root, manifestName), {
    maxBytes: manifestBytes,
    raisedBy: 'limits.manifestBytes in the configuration',
  });
  if (!file.ok) {
    const remedy = file.missing ? 'is missing; a plugin is a folder with a plugin.json' : file.message;
    return { ok: false, issues: [{ path: manifestName, message: remedy }] };
  }
  const parsed = parseJsonText(file.text);
  if (!parsed.ok) return { ok: false, issues: [{ path: manifestName, message: parsed.issue.message }] };
  const checked = manifest.safeParse(parsed.value, { error: wordingOf });
  const written = parsed.value;
  return checked.success
    ? { ok: true, manifest: checked.data, written }
    : { ok: false, issues: issuesOf(checked.error, manifest), written };
}
