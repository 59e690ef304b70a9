// The operations that are asked of remote daemons, as their thread needs them: where they are, what they may refuse,
// and the shape of their answers. All of it is the operation table's own.
import * as z from 'zod';
import type { Operation } from '../../../protocol/operation.ts';
import { runtimeOperations } from '../../../protocol/operations/runtime.ts';
import { workerOperations } from '../../../protocol/operations/worker.ts';
import type { RemoteOperation, RemoteRow, RemoteRows, Shape } from '../../../protocol/remote/messages.ts';
import { workerEvent } from '../../../protocol/runtime.ts';

const names = [
  'worker.list',
  'worker.show',
  'worker.create',
  'worker.input',
  'worker.stop',
  'worker.cancel',
  'worker.transcript',
  'worker.events',
] as const satisfies readonly RemoteOperation[];

// What zod writes of these schemas is made of the words that a shape has; a test holds them to it.
export const shapeOf = (schema: z.ZodType): Shape => z.toJSONSchema(schema, { io: 'input' }) as Shape;

const rowOf = ({ http: { method, path }, errors, result }: Operation): RemoteRow => ({
  method,
  path,
  errors,
  result: shapeOf(result),
});

export const remoteRows = (): { readonly rows: RemoteRows; readonly event: Shape } => ({
  rows: {
    'runtime.show': rowOf(runtimeOperations['runtime.show']),
    ...(Object.fromEntries(names.map((name) => [name, rowOf(workerOperations[name])])) as Omit<
      RemoteRows,
      'runtime.show'
    >),
  },
  event: shapeOf(workerEvent),
});
