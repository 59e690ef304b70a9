// Compiles JSON Schemas in a process of its own: compiling is the plugin's data at work, and some of it takes for ever,
// or all the memory there is. There is one answer for each schema, so that the one that hangs is known by what is
// missing.
import { compileSchema } from './json-schema.ts';
import { startWatchdog } from './start-watchdog.ts';

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
const stdinFd = 0;

startWatchdog({ fd: stdinFd, canInspect: false, ends: 'tree' });

process.once('message', (request: SchemaCheckRequest) => void answerAll(request));

async function answerAll({ schemas }: SchemaCheckRequest): Promise<void> {
  for (const { path, json } of schemas) {
    const answer: SchemaCheckAnswer = { path, fault: await faultOf(json) };
    // Whoever asked may be gone; then this process is about to end too.
    process.send?.(answer, () => undefined);
  }
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
