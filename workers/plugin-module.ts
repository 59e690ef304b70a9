// Imports a plugin's entry. JavaScript costs nothing extra; a TypeScript entry is left to Node where Node can, and
// to tsx where that is installed, so that a plugin needs no build step on Node 20 either.
import { fileURLToPath } from 'node:url';

export interface PluginModule {
  readonly service?: unknown;
  readonly tools?: unknown;
  readonly profiles?: unknown;
}

const typescriptEntry = /\.[cm]?ts$/;

async function importTypescript(entryUrl: string): Promise<unknown> {
  // Only newer Node has the property; its types describe Node 20.
  if ((process.features as { typescript?: unknown }).typescript) return await import(entryUrl);
  let tsx: typeof import('tsx/esm/api');
  try {
    tsx = await import('tsx/esm/api');
  } catch {
    throw new Error(
      `Node ${process.versions.node} cannot load ${fileURLToPath(entryUrl)} by itself: use Node 22.18 or newer, install tsx beside nagaya, or compile the plugin to JavaScript and name that file as "entry".`,
    );
  }
  return await tsx.tsImport(entryUrl, import.meta.url);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** The named exports, or those of a default export that holds them. */
export async function importPlugin(entryUrl: string): Promise<PluginModule> {
  const imported: unknown = typescriptEntry.test(entryUrl) ? await importTypescript(entryUrl) : await import(entryUrl);
  if (!isObject(imported)) return {};
  const named = ['service', 'tools', 'profiles'].some((name) => name in imported);
  const inner = imported['default'];
  return !named && isObject(inner) ? inner : imported;
}
