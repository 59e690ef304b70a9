// `nagaya open`: a link that signs a browser in, once. Whoever can ask for it has the daemon's socket anyway.
import type { Command } from 'commander';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { timeText } from '../views/quantity.ts';
import { styled } from '../views/terminal.ts';

interface OpenOptions {
  readonly readOnly?: boolean;
}

export function register(program: Command): void {
  program
    .command('open')
    .helpGroup(groups.daemon)
    .description('print a link that signs a browser in, once')
    .option('--read-only', 'what is signed in may only read')
    .addHelpText('after', examples('nagaya open', 'nagaya open --read-only', 'nagaya open --json | jq -r .url'))
    .action(
      runs<[], OpenOptions>(async ({ terminal, withDaemon }, { readOnly }) => {
        await withDaemon(async (client) => {
          const link = await client.call('browser.link', { readOnly: readOnly === true });
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
