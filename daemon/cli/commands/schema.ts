// `nagaya schema manifest|config`: the JSON Schemas that editors and other programs check with.
import { Argument, type Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';

export const schemaNames = ['manifest', 'config'] as const;
export type SchemaName = (typeof schemaNames)[number];

export function register(program: Command): void {
  program
    .command('schema')
    .helpGroup(groups.author)
    .description('print the JSON Schema of plugin.json or of the configuration')
    .addArgument(new Argument('<name>', 'of what').choices(schemaNames))
    .addHelpText('after', examples('nagaya schema manifest > plugin.schema.json', 'nagaya schema config > nagaya.schema.json'))
    .action(
      runs<[SchemaName]>(async ({ terminal }, _options, name) => {
        terminal.value(await publishedSchema(name));
      }),
    );
}

/** What may be written in the file: defaults are optional. */
export async function publishedSchema(name: SchemaName): Promise<unknown> {
  const { z } = await import('zod');
  const schema = name === 'manifest' ? (await import('../../../protocol/manifest.ts')).manifest : (await import('../../config/schema.ts')).config;
  return z.toJSONSchema(schema, { io: 'input' });
}
