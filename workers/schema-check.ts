// Compiles JSON Schemas away from whoever asks: compiling is the plugin's data at work, and some of it may take for
// ever. One answer a schema, so that the one that hangs is known by what is missing.
import { parentPort, workerData } from 'node:worker_threads';
import { compileSchema } from './json-schema.ts';

export interface SchemaCheckRequest {
  /** Where each schema stands in the manifest, and its JSON text. */
  readonly schemas: readonly { readonly path: string; readonly json: string }[];
}

export interface SchemaCheckAnswer {
  readonly path: string;
  /** What is wrong with it; null where it compiles. */
  readonly fault: string | null;
}

const maxFault = 1000;

const { schemas } = workerData as SchemaCheckRequest;

for (const { path, json } of schemas) {
  const answer: SchemaCheckAnswer = { path, fault: await faultOf(json) };
  parentPort?.postMessage(answer);
}

async function faultOf(json: string): Promise<string | null> {
  try {
    await compileSchema(json, { thorough: true });
    return null;
  } catch (error) {
    // It may tell of each part of a large schema.
    return (error instanceof Error ? error.message : String(error)).slice(0, maxFault);
  }
}
