// What the documentation takes from the code: each section is written between its markers by `npm run docs`, and the
// checks fail where the committed text says anything else.
import * as z from 'zod';
import { config } from '../../daemon/config/schema.ts';
import { type ErrorCode, type ErrorKind, errorKinds, isRetryable } from '../../protocol/errors.ts';
import { manifest } from '../../protocol/manifest.ts';
import { type Operation, commonErrors } from '../../protocol/operation.ts';
import { operations } from '../../protocol/operations.ts';
import { type OutputType, output } from '../../protocol/outputs.ts';
import { type SourceType, source } from '../../protocol/sources.ts';
import { commandsTable } from './commands.ts';
import { type Field, fieldsOf } from './fields.ts';
import { code, table } from './table.ts';

const yes = (truth: boolean | undefined): string => (truth === true ? 'yes' : 'no');
const codes = (names: readonly string[]): string => names.map(code).join(', ');

function errorsTable(): string {
  const rows = Object.entries<ErrorKind>(errorKinds);
  return table(
    ['code', 'HTTP', 'JSON-RPC', 'retryable', 'meaning', 'what to do'],
    rows.map(([name, kind]) => [
      code(name),
      kind.status,
      kind.rpc,
      yes(isRetryable(name as ErrorCode)),
      kind.meaning,
      kind.remedy,
    ]),
  );
}

function operationsTable(): string {
  const rows = Object.entries<Operation>(operations);
  const head = table(
    ['operation', 'HTTP', 'parameters', 'what it does', 'errors of its own'],
    rows.map(([name, row]) => [
      code(name),
      code(`${row.http.method} ${row.http.path}`),
      parametersOf(row),
      row.summary,
      codes(row.errors),
    ]),
  );
  const during = rows.filter(([, row]) => row.duringShutdown === true).map(([name]) => name);
  const streams = rows.filter(([, row]) => row.stream === true).map(([name]) => name);
  return `${head}\n\nEvery operation can also answer ${codes(commonErrors)}. While the daemon shuts down it still answers ${codes(during)}.\nOver HTTP the answer of ${codes(streams)} is a stream of server-sent events.`;
}

function parametersOf({ params }: Operation): string {
  const required = new Set(z.toJSONSchema(params, { io: 'input' }).required);
  return Object.keys(params.shape)
    .map((name) => code(required.has(name) ? name : `${name}?`))
    .join(', ');
}

const fieldsTable = (fields: readonly Field[]): string =>
  table(
    ['field', 'default', 'allowed', 'meaning'],
    fields.map((field) => [
      code(field.path),
      field.default === '' || field.default === 'required' ? field.default : code(field.default),
      field.allowed,
      field.meaning,
    ]),
  );

/** The fields of one type of source. */
function sourceTable(type: SourceType): string {
  const schema = source.options.find(({ shape }) => shape.type.value === type);
  return schema === undefined ? '' : fieldsTable(fieldsOf(schema));
}

/** The fields of one type of output. */
function outputTable(type: OutputType): string {
  const schema = output.options.find(({ shape }) => shape.type.value === type);
  return schema === undefined ? '' : fieldsTable(fieldsOf(schema));
}

const workerLimit = /^limits\.(?:worker|runtime|transcript)/;

/** By the name of their markers. */
export const sections: Readonly<Record<string, () => string | Promise<string>>> = {
  errors: errorsTable,
  operations: operationsTable,
  config: () => fieldsTable(fieldsOf(config)),
  'worker-limits': () => fieldsTable(fieldsOf(config).filter(({ path }) => workerLimit.test(path))),
  'source-webhook': () => sourceTable('webhook'),
  'source-schedule': () => sourceTable('schedule'),
  'source-websocket': () => sourceTable('websocket'),
  'source-files': () => sourceTable('files'),
  'source-mqtt': () => sourceTable('mqtt'),
  'output-http': () => outputTable('http'),
  'output-websocket': () => outputTable('websocket'),
  'output-event': () => outputTable('event'),
  'output-worker': () => outputTable('worker'),
  'output-tool': () => outputTable('tool'),
  'output-mqtt': () => outputTable('mqtt'),
  'webhooks-config': () => fieldsTable(fieldsOf(config).filter(({ path }) => path.startsWith('webhooks.'))),
  manifest: () => fieldsTable(fieldsOf(manifest)),
  commands: commandsTable,
};
