// `nagaya config check|show|schema`: whether a configuration is valid, what is in force with it, and what may stand
// in it.
import type { Command } from 'commander';
import { HostError } from '../../../protocol/errors.ts';
import { localFailure } from '../failure.ts';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';

export function register(program: Command): void {
  const config = program
    .command('config')
    .helpGroup(groups.setup)
    .description('check or show the configuration')
    .addHelpText('after', examples('nagaya config check', 'nagaya config show ./nagaya.json'));
  const fileText = "configuration file (default: $NAGAYA_CONFIG, ./nagaya.json or .yaml, or the user's own)";

  config
    .command('check')
    .description('name every fault of the configuration by its path')
    .argument('[file]', fileText)
    .addHelpText('after', examples('nagaya config check', 'nagaya config check ./nagaya.yaml --json'))
    .action(
      runs<[string | undefined]>(async ({ terminal }, _options, file) => {
        const { path } = await load(file);
        terminal.answer({ valid: true, path }, () =>
          terminal.line(
            path === null ? 'there is no configuration file: every value is its default' : `${path} is valid`,
          ),
        );
      }),
    );

  config
    .command('show')
    .description('print what is in force, defaults included')
    .argument('[file]', fileText)
    .addHelpText('after', examples('nagaya config show', 'nagaya config show --json | jq .config.limits'))
    .action(
      runs<[string | undefined]>(async ({ terminal }, _options, file) => {
        const loaded = await load(file);
        terminal.answer(loaded, () => {
          terminal.note(
            loaded.path === null ? 'no configuration file: every value is its default' : `from ${loaded.path}`,
          );
          terminal.value(loaded.config);
        });
      }),
    );

  config
    .command('schema')
    .description('print the JSON Schema of the configuration')
    .addHelpText('after', examples('nagaya config schema > nagaya.schema.json'))
    .action(
      runs(async ({ terminal }) => {
        const { publishedSchema } = await import('../published-schema.ts');
        terminal.value(publishedSchema('config'));
      }),
    );
}

async function load(file: string | undefined): ReturnType<typeof import('../../config/load.ts').loadConfig> {
  const { loadConfig } = await import('../../config/load.ts');
  try {
    return await loadConfig(file === undefined ? {} : { path: file });
  } catch (error) {
    if (error instanceof HostError && error.code === 'config_invalid')
      throw localFailure(error, 'Correct the fields named above; `nagaya config schema` prints what may stand there.');
    throw error;
  }
}
