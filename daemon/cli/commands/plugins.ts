// `nagaya plugins`: what is loaded, and what was found and refused.
import type { Command } from 'commander';
import { credentialText } from '../../../protocol/credential-uses.ts';
import { issueText } from '../../../protocol/errors.ts';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { lifecyclePiece } from '../views/service-view.ts';
import { listText, printTable } from '../views/table.ts';
import { styled } from '../views/terminal.ts';

export function register(program: Command): void {
  program
    .command('plugins')
    .helpGroup(groups.plugins)
    .description('list the plugins that are loaded, and those that were refused')
    .addHelpText('after', examples('nagaya plugins', 'nagaya plugins --json'))
    .action(
      runs(async ({ terminal, withDaemon }) => {
        const found = await withDaemon((client) => client.call('plugin.list', {}));
        terminal.answer(found, () => {
          if (found.plugins.length === 0) terminal.note('no plugins are loaded; load one with `nagaya load DIR`');
          else {
            printTable(
              terminal,
              ['PLUGIN', 'VERSION', 'STATE', 'SERVICE', 'ISOLATION', 'TOOLS', 'PROFILES'],
              found.plugins.map((plugin) => [
                plugin.id,
                plugin.version,
                plugin.state,
                plugin.lifecycle === null ? '-' : lifecyclePiece(plugin.lifecycle),
                plugin.isolation,
                listText(plugin.tools),
                listText(plugin.profiles),
              ]),
            );
          }
          for (const { id, credentials } of found.plugins)
            for (const one of credentials) terminal.line(styled('dim', `${id}: `), credentialText(one));
          for (const { id, notes } of found.plugins)
            for (const note of notes) terminal.complain(styled('yellow', `${id}: `), note);
          for (const { path, issues } of found.invalid) {
            terminal.complain(styled('yellow', 'refused '), path);
            for (const issue of issues) terminal.complain(`  ${issueText(issue)}`);
          }
        });
      }),
    );
}
