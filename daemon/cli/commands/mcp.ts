// `nagaya mcp`: what an MCP client starts, a thin process that passes frames between the client and the daemon's socket
// and parses none of them; and the commands around it.
import { type Command, InvalidArgumentError } from 'commander';
import { plural } from '../../../protocol/plural.ts';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { addServer } from '../mcp-add.ts';
import { servePipe } from '../mcp-pipe.ts';
import { printTable } from '../views/table.ts';
import { type Piece, styled } from '../views/terminal.ts';

export function register(program: Command): void {
  const group = program
    .command('mcp')
    .helpGroup(groups.use)
    .description("serve plugins' tools to an MCP client on standard input and output")
    .option('--serve', 'start a daemon where none runs; it ends with this process')
    .addHelpText('after', examples('nagaya mcp', 'nagaya mcp --serve', 'nagaya mcp tools', 'nagaya mcp access'))
    .action(runs<[], { serve?: boolean }>(async ({ socket }, { serve }) => await servePipe(socket, serve === true)));
  registerTools(group);
  registerAccess(group);
  registerAdd(group);
}

function registerTools(group: Command): void {
  group
    .command('tools')
    .description('list every tool with its name for MCP clients, and which are denied or held back')
    .option('--approve [names...]', 'approve tools as they are now: those named, or all that are held back')
    .addHelpText('after', examples('nagaya mcp tools', 'nagaya mcp tools --approve example_primes__primes'))
    .action(
      runs<[], { approve?: true | readonly string[] }>(async ({ terminal, withDaemon }, { approve }) => {
        await withDaemon(async (client) => {
          const approved =
            approve === undefined
              ? undefined
              : (await client.call('mcp.approve', approve === true ? {} : { names: [...approve] })).approved;
          const { tools, pin } = await client.call('mcp.tools', {});
          terminal.answer({ pin, tools, ...(approved === undefined ? {} : { approved }) }, () => {
            for (const name of approved ?? []) terminal.note(`approved ${name}`);
            if (tools.length === 0) terminal.note('no plugin has tools');
            else
              printTable(
                terminal,
                ['NAME', 'PLUGIN', 'TOOL', 'STATE', 'DESCRIPTION'],
                tools.map((tool) => [tool.name, tool.plugin, tool.tool, stateText(tool), tool.description]),
              );
          });
        });
      }),
    );
}

function stateText({ state, changed }: { readonly state: string; readonly changed: readonly string[] }): Piece {
  if (state === 'exposed') return styled('green', state);
  return state === 'held' ? styled('yellow', `held: ${changed.join(', ')} changed`) : styled('dim', state);
}

function registerAccess(group: Command): void {
  group
    .command('access')
    .description('print where MCP clients reach the daemon over HTTP, and the token they need')
    .addHelpText('after', examples('nagaya mcp access', 'nagaya mcp access --json | jq -r .token'))
    .action(
      runs<[]>(async ({ terminal, withDaemon }) => {
        const access = await withDaemon((client) => client.call('mcp.access', {}));
        terminal.answer(access, () => {
          terminal.line(access.url);
          terminal.line(`Authorization: Bearer ${access.token}`);
        });
      }),
    );
}

function registerAdd(group: Command): void {
  group
    .command('add')
    .description('host an MCP server as a plugin: it is written into the state folder, loaded and started')
    .argument('<name>', 'id of the plugin that is made')
    .argument('[command...]', 'the command that runs the server, behind --')
    .option('--url <url>', 'in place of a command: a server that is reached over HTTP')
    .option('--auth-env <name>', 'with --url: variable of the daemon with the token, which is sent as a bearer token')
    .option('--replace', 'write over the plugin.json of an unloaded server of that name')
    .option('--env <names...>', 'variables of the daemon that the server sees, beside PATH and HOME')
    .addHelpText(
      'after',
      examples(
        'nagaya mcp add everything -- npx -y @modelcontextprotocol/server-everything',
        'nagaya mcp add github --env GITHUB_TOKEN -- npx -y some-github-server',
        'nagaya mcp add remote --url https://mcp.example/mcp --auth-env REMOTE_TOKEN',
      ),
    )
    .action(
      runs<[string, string[]], { url?: string; authEnv?: string; env?: string[]; replace?: boolean }>(
        async ({ terminal, withDaemon }, { url, authEnv, env = [], replace }, name, command) => {
          if ((url === undefined) === (command.length === 0))
            throw new InvalidArgumentError('Give the command behind --, or --url, and not both.');
          if (url === undefined && authEnv !== undefined)
            throw new InvalidArgumentError('--auth-env goes with --url; a command sees the variables of --env.');
          const server = { name, command, env, url, authEnv, replace };
          const { plugin, folder } = await withDaemon((client) => addServer(client, server));
          const { tools } = await withDaemon((client) => client.call('tool.list', { plugin: plugin.id }));
          terminal.answer({ plugin, folder, tools }, () => {
            terminal.line(`${plugin.id} runs and has ${plural(tools.length, 'tool')}; its plugin.json is in ${folder}`);
          });
        },
      ),
    );
}
