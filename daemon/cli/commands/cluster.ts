// `nagaya cluster status`, `members` and `drain`: the daemons that share a NATS server.
import type { Command } from 'commander';
import type { ClusterStatus } from '../../../protocol/operations/cluster.ts';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { memberTable, serviceTable } from '../views/cluster-view.ts';
import type { Terminal } from '../views/terminal.ts';

export function register(program: Command): void {
  const group = program
    .command('cluster')
    .helpGroup(groups.daemon)
    .description('look at the cluster that this daemon is a member of, or take a member out of the work')
    .addHelpText('after', examples('nagaya cluster status', 'nagaya cluster drain', 'nagaya cluster drain --undo'));
  look(
    group,
    'status',
    'show whether the cluster is connected, and which member has which service',
    (terminal, answer) => {
      terminal.line(
        `cluster ${answer.name}, member ${answer.member}: ${answer.connected ? 'connected' : 'not connected'}`,
      );
      memberTable(terminal, answer);
      serviceTable(terminal, answer);
    },
  );
  look(group, 'members', 'list the members: their versions, states and services', memberTable);
  group
    .command('drain')
    .description('have a member give its services to the others and take none; this daemon where none is named')
    .argument('[member]', 'name of a member')
    .option('--undo', 'let it take services again')
    .addHelpText(
      'after',
      examples('nagaya cluster drain', 'nagaya cluster drain berlin', 'nagaya cluster drain berlin --undo'),
    )
    .action(
      runs<[string | undefined], { undo?: boolean }>(async ({ terminal, withDaemon }, { undo = false }, member) => {
        const answer = await withDaemon((client) =>
          client.call('cluster.drain', { undo, ...(member === undefined ? {} : { member }) }),
        );
        terminal.answer(answer, () => terminal.line(`${answer.member} is ${answer.state}`));
      }),
    );
}

function look(
  group: Command,
  name: string,
  description: string,
  show: (terminal: Terminal, answer: ClusterStatus) => void,
): void {
  group
    .command(name, name === 'status' ? { isDefault: true } : {})
    .description(description)
    .addHelpText('after', examples(`nagaya cluster ${name}`, `nagaya cluster ${name} --json | jq .members`))
    .action(
      runs<[]>(async ({ terminal, withDaemon }) => {
        const answer = await withDaemon((client) => client.call('cluster.status', {}));
        terminal.answer(answer, () => {
          show(terminal, answer);
          if (answer.fault !== null) terminal.note(answer.fault.message);
        });
      }),
    );
}
