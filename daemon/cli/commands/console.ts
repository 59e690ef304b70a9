// `nagaya console`: a link that signs one browser in to the operator's page, once. It allows what an operator does, and
// never to load plugins; whoever can ask for it has the daemon's socket anyway.
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { timeText } from '../views/quantity.ts';
import { styled } from '../views/terminal.ts';

export function register(program: Command): void {
  program
    .command('console')
    .helpGroup(groups.daemon)
    .description("print a link to the operator's page, which signs one browser in, once; needs http.port")
    .option('--read-only', 'what is signed in may only read')
    .addHelpText(
      'after',
      examples('nagaya console', 'nagaya console --read-only', 'nagaya console --json | jq -r .url'),
    )
    .action(
      runs<[], { readonly readOnly?: boolean }>(async ({ terminal, withDaemon }, { readOnly }) => {
        await withDaemon(async (client) => {
          const link = await client.call('browser.link', { readOnly: readOnly === true, scope: 'operate' });
          terminal.answer(link, () => {
            terminal.line(styled('cyan', link.url));
            terminal.note(
              `it works once, until ${timeText(link.expiresAt)}${link.readOnly ? ', and allows only to read' : ''}`,
            );
          });
        });
      }),
    );
}
