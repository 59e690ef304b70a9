// `nagaya schema manifest|config`: the JSON Schemas that editors and other programs check with.
import { Argument, type Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import type { SchemaName } from '../published-schema.ts';

export const schemaNames = ['manifest', 'config'] as const satisfies readonly SchemaName[];

export function register(program: Command): void {
  program
    .command('schema')
    .helpGroup(groups.author)
    .description('print the JSON Schema of plugin.json or of the configuration')
    .addArgument(new Argument('<name>', 'of what').choices(schemaNames))
    .addHelpText(
      'after',
      examples('nagaya schema manifest > plugin.schema.json', 'nagaya schema config > nagaya.schema.json'),
    )
    .action(
      runs<[SchemaName]>(async ({ terminal }, _options, name) => {
        // Only this command needs the schemas: loading them takes longer than all else it does.
        const { publishedSchema } = await import('../published-schema.ts');
        terminal.value(publishedSchema(name));
      }),
    );
}
