// Whether a plugin's JSON Schemas compile, found out in a process of its own and within a deadline: some take for ever,
// and some take so much memory that V8 would end the whole daemon for it.
import { type ChildProcess, fork } from 'node:child_process';
import type { Issue } from '../../protocol/errors.ts';
import { isFields } from '../../protocol/fields.ts';
import type { SchemaCheckAnswer, SchemaCheckRequest } from '../../workers/schema-check.ts';
import { cellEntry } from './entries.ts';

type Declared = SchemaCheckRequest['schemas'][number];

const heapMb = 256;
/** They accept everything. */
const trivial: ReadonlySet<string> = new Set(['{}', 'true']);

const listIn = (value: unknown, key: string): readonly unknown[] => {
  const list = isFields(value) ? value[key] : undefined;
  return Array.isArray(list) ? list : [];
};

function declaredSchemas(manifest: unknown): Declared[] {
  const schemas: Declared[] = [];
  const add = (path: string, owner: unknown, key: string): void => {
    const schema = isFields(owner) ? owner[key] : undefined;
    if (!isFields(schema) && typeof schema !== 'boolean') return;
    const json = JSON.stringify(schema);
    if (!trivial.has(json)) schemas.push({ path: `${path}.${key}`, json });
  };
  const service = isFields(manifest) ? manifest['service'] : undefined;
  for (const [index, ingress] of listIn(service, 'ingresses').entries())
    add(`service.ingresses[${String(index)}]`, ingress, 'payloadSchema');
  for (const [index, tool] of listIn(manifest, 'tools').entries()) {
    add(`tools[${String(index)}]`, tool, 'inputSchema');
    add(`tools[${String(index)}]`, tool, 'outputSchema');
  }
  return schemas;
}

/** `manifest`: checked or not; what is no schema at all is left to the check of the manifest. */
export async function schemaIssues(manifest: unknown, deadlineMs: number): Promise<Issue[]> {
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
async function compileAll(
  schemas: readonly Declared[],
  deadlineMs: number,
  answered: (answer: SchemaCheckAnswer) => void,
): Promise<string> {
  // Its standard input is how it notices that this process has ended.
  const child = fork(cellEntry('schema-check'), [], {
    env: {},
    cwd: '/',
    execArgv: [`--max-old-space-size=${String(heapMb)}`],
    stdio: ['pipe', 'ignore', 'ignore', 'ipc'],
  });
  let timer: NodeJS.Timeout | undefined;
  let open = schemas.length;
  try {
    return await new Promise((resolve, reject) => {
      timer = setTimeout(
        () => resolve(`does not compile within ${String(deadlineMs)} ms; make it smaller`),
        deadlineMs,
      );
      child.on('message', (answer) => {
        answered(answer as SchemaCheckAnswer);
        open -= 1;
        if (open === 0) resolve('');
      });
      child.once('error', reject);
      child.once('exit', (_code, signal) =>
        resolve(
          `cannot be compiled: the process that tried it ended${signal === null ? '' : ` by ${signal}`}; it has ${String(heapMb)} MB of memory`,
        ),
      );
      ask(child, { schemas });
    });
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
  }
}

function ask(child: ChildProcess, request: SchemaCheckRequest): void {
  child.send(request, () => {
    // Whether it has ended meanwhile is told by its exit.
  });
}
