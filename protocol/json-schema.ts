// A JSON Schema as the host knows it: data it carries and never evaluates, because a plugin's schema may hold a
// pattern that runs for ever. Cells compile and run it.
import * as z from 'zod';

export const jsonSchema = z
  .union([z.record(z.string(), z.unknown()), z.boolean()])
  .describe('a JSON Schema (draft 2020-12)');
