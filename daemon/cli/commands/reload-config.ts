// `nagaya reload-config`: the daemon reads its configuration and the files of credentials again.
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { plural } from '../views/quantity.ts';
import { styled } from '../views/terminal.ts';

export function register(program: Command): void {
  program
    .command('reload-config')
    .helpGroup(groups.daemon)
    .description(
      'let the daemon read its configuration and the files of credentials again; what cannot change while it runs is named',
    )
    .addHelpText('after', examples('nagaya reload-config', 'nagaya reload-config --json | jq .pending'))
    .action(
      runs<[]>(async ({ terminal, withDaemon }) => {
        const answer = await withDaemon((client) => client.call('config.reload', {}));
        terminal.answer(answer, () => {
          terminal.line(
            answer.config === null ? 'there is no configuration file' : `${answer.config} was read again`,
            `; credentials of ${plural(answer.sources, 'source')} were read again`,
          );
          for (const path of answer.applied) terminal.line(`  ${path}  `, styled('green', 'holds now'));
          for (const { path, remedy } of answer.pending)
            terminal.line(`  ${path}  `, styled('yellow', `does not hold yet: ${remedy}`));
        });
      }),
    );
}
