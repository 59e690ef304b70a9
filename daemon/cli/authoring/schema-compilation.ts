// Whether a plugin's JSON Schemas compile, found out in a thread of their own and within a deadline.
import { Worker } from 'node:worker_threads';
import type { Issue } from '../../../protocol/errors.ts';
import type { Manifest } from '../../../protocol/manifest.ts';
import type { SchemaCheckAnswer, SchemaCheckRequest } from '../../../workers/schema-check.ts';
import { cellEntry } from '../../isolates/entries.ts';

type Declared = SchemaCheckRequest['schemas'][number];

const heapMb = 256;

function declaredSchemas(manifest: Manifest): Declared[] {
  const schemas: Declared[] = [];
  const add = (path: string, schema: unknown): void => {
    if (schema !== undefined) schemas.push({ path, json: JSON.stringify(schema) });
  };
  for (const [index, ingress] of (manifest.service?.ingresses ?? []).entries()) add(`service.ingresses[${String(index)}].payloadSchema`, ingress.payloadSchema);
  for (const [index, tool] of manifest.tools.entries()) {
    add(`tools[${String(index)}].inputSchema`, tool.inputSchema);
    add(`tools[${String(index)}].outputSchema`, tool.outputSchema);
  }
  return schemas;
}

export async function schemaIssues(manifest: Manifest, deadlineMs: number): Promise<Issue[]> {
  const schemas = declaredSchemas(manifest);
  if (schemas.length === 0) return [];
  const answers = new Map<string, string | null>();
  const ended = await compileAll(schemas, deadlineMs, ({ path, fault }) => answers.set(path, fault));
  const issues: Issue[] = [];
  for (const { path } of schemas) {
    const fault = answers.get(path);
    if (fault === null) continue;
    issues.push({ path, message: fault === undefined ? ended : `is not a JSON Schema that compiles: ${fault}` });
    // Those behind the one that never answered were not looked at.
    if (fault === undefined) break;
  }
  return issues;
}

/** Answers why no more answers came. */
async function compileAll(schemas: readonly Declared[], deadlineMs: number, answered: (answer: SchemaCheckAnswer) => void): Promise<string> {
  const worker = new Worker(cellEntry('schema-check'), { workerData: { schemas } satisfies SchemaCheckRequest, env: {}, resourceLimits: { maxOldGenerationSizeMb: heapMb }, stdout: true, stderr: true });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve) => {
      timer = setTimeout(() => resolve(`does not compile within ${String(deadlineMs)} ms; make it smaller`), deadlineMs);
      worker.on('message', answered);
      worker.once('error', (error) => resolve(`cannot be compiled: ${error.message}`));
      worker.once('exit', () => resolve('was not looked at'));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
