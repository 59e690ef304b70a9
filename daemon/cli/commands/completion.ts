// `nagaya completion bash|zsh|fish`: the script that makes a shell complete this command.
import { Argument, type Command } from 'commander';
import { type Shell, completionScripts, shells } from '../completion-scripts.ts';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';

export function register(program: Command): void {
  program
    .command('completion')
    .helpGroup(groups.setup)
    .description('print the completion script for a shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(shells))
    .addHelpText(
      'after',
      examples(
        'nagaya completion bash > ~/.local/share/bash-completion/completions/nagaya',
        'nagaya completion zsh > "${fpath[1]}/_nagaya"',
        'nagaya completion fish > ~/.config/fish/completions/nagaya.fish',
      ),
    )
    .action(
      runs<[Shell]>(({ terminal }, _options, shell) => {
        terminal.answer({ shell, script: completionScripts[shell] }, () => terminal.text(completionScripts[shell]));
      }),
    );
}
