// Lays out for the host what it may ask this thread while plugin code holds it. Whatever goes wrong in here is an
// answer without knowledge, never an error in the plugin's code that it interrupts.
import { threadId } from 'node:worker_threads';
import { type CellInspection, type Position, inspectionName } from '../protocol/cell/inspection.ts';
import { parseJson, stringifyJson } from './primitives.ts';
import { originOf } from './source-map.ts';

const activeResources = process.getActiveResourcesInfo.bind(process);
const nothing = '[]';

export function layOutInspection(options: { readonly ownResources: readonly string[]; reportMemory(): void }): void {
  const inspection: CellInspection = {
    threadId,
    origins(positionsJson) {
      try {
        return stringifyJson((parseJson(positionsJson) as Position[]).map(originOrNull)) ?? nothing;
      } catch {
        // No maps then: the places are told as they stand in the compiled files.
        return nothing;
      }
    },
    open() {
      try {
        return stringifyJson(without(activeResources(), options.ownResources)) ?? nothing;
      } catch {
        return nothing;
      }
    },
    reportMemory: () => options.reportMemory(),
  };
  Object.defineProperty(globalThis, inspectionName, {
    value: Object.freeze(inspection),
    enumerable: false,
    writable: false,
    configurable: false,
  });
}

function originOrNull(position: Position): Position | null {
  try {
    return originOf(position) ?? null;
  } catch {
    // An unreadable file or a broken map: this one place stays as it is.
    return null;
  }
}

/** The cell's own ports are open as long as it lives. */
function without(all: readonly string[], own: readonly string[]): string[] {
  const left = [...all];
  for (const name of own) {
    const at = left.indexOf(name);
    if (at !== -1) left.splice(at, 1);
  }
  return left;
}
