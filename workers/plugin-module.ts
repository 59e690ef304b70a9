// Imports a plugin's entry. JavaScript costs nothing extra; a TypeScript entry is left to Node where Node can, and
// to tsx where that is installed, so that a plugin needs no build step on Node 20 either.
import { readFileSync } from 'node:fs';
import nodeModule, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { registering } from './guard/modules.ts';

export interface PluginModule {
  readonly service?: unknown;
  readonly tools?: unknown;
  readonly profiles?: unknown;
}

/** The module was imported, and does not hold what its manifest says. */
export class MissingExport extends Error {
  override readonly name = 'MissingExport';
}

export const isTypescript = (entryUrl: string): boolean => /\.[cm]?ts$/.test(entryUrl);

/** What this Node needs for an entry in TypeScript, nothing where it needs nothing; throws what the author can do. */
export async function tsxFor(entryUrl: string): Promise<typeof import('tsx/esm/api') | undefined> {
  if (nodeLoads(entryUrl)) return undefined;
  requireModuleType(fileURLToPath(entryUrl));
  try {
    // Wherever it is, it is the same module.
    return (await import(tsxBeside(entryUrl) ?? 'tsx/esm/api')) as typeof import('tsx/esm/api');
  } catch {
    throw new Error(
      `Node ${process.versions.node} cannot load ${fileURLToPath(entryUrl)} by itself: ${insteadOfTsx(entryUrl)}, install tsx in the plugin's folder (npm install tsx), or compile the plugin to JavaScript and name that file as "entry".`,
    );
  }
}

interface LoadContext {
  readonly format?: string;
}
type Load = (url: string, context: LoadContext) => object;

/** What newer Node has; the types describe Node 20. Taken before the guard stands in the way of plugins. */
const { registerHooks, stripTypeScriptTypes } = nodeModule as unknown as {
  readonly registerHooks?: (hooks: { load(url: string, context: LoadContext, next: Load): object }) => unknown;
  readonly stripTypeScriptTypes?: (source: string) => string;
};

let loadsInstalled = false;

/** Newer Node loads TypeScript by itself, except in installed packages: there the same is done for it. */
function nodeLoads(entryUrl: string): boolean {
  if (!(process.features as { typescript?: unknown }).typescript) return false;
  if (!isInstalled(entryUrl)) return true;
  if (registerHooks === undefined || stripTypeScriptTypes === undefined) return false;
  if (!loadsInstalled) {
    registerHooks({
      load(url, context, next) {
        if (!isTypescript(url) || !isInstalled(url)) return next(url, context);
        const source = stripTypeScriptTypes(readFileSync(fileURLToPath(url), 'utf8'));
        return { format: url.endsWith('.cts') ? 'commonjs' : 'module', source, shortCircuit: true };
      },
    });
  }
  loadsInstalled = true;
  return true;
}

const isInstalled = (url: string): boolean => url.includes('/node_modules/');

const insteadOfTsx = (entryUrl: string): string =>
  isInstalled(entryUrl) ? 'copy the plugin out of node_modules and use Node 22.18 or newer' : 'use Node 22.18 or newer';

/** The one that is installed for the plugin comes before the one that is installed for nagaya. */
function tsxBeside(entryUrl: string): string | undefined {
  try {
    // `resolve` finds packages as a CommonJS module would, and of tsx the other half is wanted.
    const manifest = createRequire(entryUrl).resolve('tsx/package.json');
    return pathToFileURL(join(dirname(manifest), 'dist/esm/api/index.mjs')).href;
  } catch {
    // None is installed there.
    return undefined;
  }
}

async function importTypescript(entryUrl: string): Promise<unknown> {
  const tsx = await tsxFor(entryUrl);
  return tsx === undefined ? await import(entryUrl) : await registering(() => tsx.tsImport(entryUrl, import.meta.url));
}

/** tsx would compile such a file as CommonJS, and for that it starts a thread, which a cell does not allow. */
function requireModuleType(entry: string): void {
  if (entry.endsWith('.mts') || packageType(dirname(entry)) === 'module') return;
  throw new Error(
    `On Node ${process.versions.node} a TypeScript entry needs a package.json with "type": "module" beside plugin.json, or the ending .mts.`,
  );
}

/** Of the nearest package.json, as Node looks for it. */
function packageType(folder: string): unknown {
  try {
    return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { type?: unknown }).type;
  } catch {
    // None here, or none that can be read: the one above counts.
    const parent = dirname(folder);
    return parent === folder ? undefined : packageType(parent);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** The named exports, or those of a default export that holds them. */
export async function importPlugin(entryUrl: string): Promise<PluginModule> {
  const imported: unknown = isTypescript(entryUrl) ? await importTypescript(entryUrl) : await import(entryUrl);
  if (!isObject(imported)) return {};
  const named = ['service', 'tools', 'profiles'].some((name) => name in imported);
  const inner = imported['default'];
  return !named && isObject(inner) ? inner : imported;
}
