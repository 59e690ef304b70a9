// `nagaya hook send PLUGIN SOURCE FILE`: signs a payload as the provider would and sends it to the source, so that a
// webhook can be tried without the provider.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Command } from 'commander';
import type { Client } from '../../../protocol/client/client.ts';
import { sign } from '../../../protocol/edge/signatures.ts';
import { HostError } from '../../../protocol/errors.ts';
import type { Manifest } from '../../../protocol/manifest.ts';
import type { CredentialName, WebhookSource } from '../../../protocol/sources.ts';
import { type ExitCode, exitCodes, localFailure, usageFailure } from '../failure.ts';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { styled } from '../views/terminal.ts';

interface SendOptions {
  readonly kind?: string;
  readonly id?: string;
  readonly type: string;
  readonly header?: readonly string[];
  readonly url?: string;
  readonly secretEnv?: string;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

const sendMs = 30_000;

export function register(program: Command): void {
  const group = program
    .command('hook')
    .helpGroup(groups.use)
    .description('try a webhook without its provider')
    .addHelpText('after', examples('nagaya hook send example.webhooks github ./push.json --kind push'));
  group
    .command('send')
    .description(
      "sign the file's content as the source declares it, with the secret in this command's own environment, and send it",
    )
    .argument('<plugin>', 'id of a loaded plugin with a service')
    .argument('<source>', 'name of one of its webhooks')
    .argument('<file>', 'what is sent; - reads standard input')
    .option('--kind <kind>', 'put this into the header that kindFrom names')
    .option('--id <id>', 'put this into the header that idFrom names (default: a new one)')
    .option('--type <type>', 'content type', 'application/json')
    .option('--header <header...>', 'further headers, as "name: value"')
    .option('--secret-env <name>', 'take the secret from this variable instead of the declared one')
    .option('--url <url>', 'send it there instead, for example through the proxy')
    .addHelpText(
      'after',
      examples(
        'nagaya hook send example.webhooks github ./push.json --kind push',
        'GITHUB_SECRET=… nagaya hook send example.webhooks github - < push.json',
      ),
    )
    .action(
      runs<[string, string, string], SendOptions>(async ({ terminal, withDaemon }, options, plugin, source, file) => {
        const target = await withDaemon((client) => targetOf(client, plugin, source));
        const body = contentOf(file);
        const headers = headersFor(target.declaration, body, options);
        const answer = await post(options.url ?? target.url, headers, body);
        const isFine = answer.status >= 200 && answer.status < 300;
        terminal.answer({ status: answer.status, body: parsed(answer.body) }, () => {
          terminal.line(styled(isFine ? 'green' : 'red', String(answer.status)), ` ${answer.body.trim()}`);
          if (answer.status === 401)
            terminal.note(`why it was refused stands in \`nagaya sources list ${plugin} --json\`, as lastError`);
        });
        return (isFine ? exitCodes.fine : exitCodes.refused) satisfies ExitCode;
      }),
    );
}

async function targetOf(
  client: Client,
  plugin: string,
  name: string,
): Promise<{ readonly declaration: WebhookSource; readonly url: string }> {
  const [{ manifest }, { sources }] = await Promise.all([
    client.call('plugin.show', { plugin }),
    client.call('source.list', { plugin }),
  ]);
  // It was read by the daemon, and is one.
  const { service } = manifest as unknown as Manifest;
  const declaration = service?.sources.find((one) => one.name === name);
  const names = sources.filter(({ type }) => type === 'webhook').map((one) => one.name);
  if (declaration?.type !== 'webhook')
    throw usageFailure(
      `${plugin} has no webhook "${name}".`,
      names.length === 0 ? 'It declares none.' : `Its webhooks are ${names.join(', ')}.`,
    );
  const url = sources.find((one) => one.name === name)?.url;
  if (url === undefined)
    throw localFailure(
      new HostError('port_unusable', 'No port for webhooks is open.'),
      'Set webhooks.port in the configuration and restart the daemon, or give --url.',
    );
  return { declaration, url };
}

function contentOf(file: string): Buffer {
  try {
    return readFileSync(file === '-' ? 0 : file);
  } catch (error) {
    throw usageFailure(`${file} cannot be read: ${(error as Error).message}.`, 'Name a file that can be read.');
  }
}

function headersFor(declaration: WebhookSource, body: Buffer, options: SendOptions): Record<string, string> {
  const { verify, kindFrom, idFrom } = declaration;
  const id = options.id ?? randomUUID();
  const signed =
    verify.scheme === 'none'
      ? {}
      : sign(verify, secretOf(options.secretEnv ?? verify.secretEnv[0] ?? ''), { body, nowMs: Date.now(), id });
  return {
    'content-type': options.type,
    ...(idFrom !== undefined && 'header' in idFrom ? { [idFrom.header]: id } : {}),
    ...(kindFrom !== undefined && 'header' in kindFrom && options.kind !== undefined
      ? { [kindFrom.header]: options.kind }
      : {}),
    ...signed,
    ...Object.fromEntries((options.header ?? []).map(headerOf)),
  };
}

function headerOf(text: string): [string, string] {
  const at = text.indexOf(':');
  if (at < 1) throw usageFailure(`"${text}" is no header.`, 'Write it as "name: value".');
  return [text.slice(0, at).trim().toLowerCase(), text.slice(at + 1).trim()];
}

/** The command runs as its user: the daemon does not hand out its secrets. */
function secretOf(name: CredentialName): string {
  if (typeof name !== 'string')
    return contentOf(name.file)
      .toString()
      .replace(/\r?\n$/, '');
  const secret = process.env[name];
  if (secret === undefined || secret === '')
    throw usageFailure(
      `The variable ${name} is not set in the environment of this command.`,
      `Set it to the secret that the daemon has, or name another variable with --secret-env.`,
    );
  return secret;
}

function post(url: string, headers: Record<string, string>, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void =>
      reject(
        localFailure(
          new HostError('connection_closed', `${url} cannot be reached: ${error.message}.`),
          'See `nagaya sources` for its state.',
        ),
      );
    const request = url.startsWith('https:') ? httpsRequest : httpRequest;
    const sent = request(
      url,
      { method: 'POST', headers, agent: false, timeout: sendMs },
      (response: IncomingMessage) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
        );
        response.once('error', failed);
      },
    );
    sent.once('timeout', () => sent.destroy(new Error(`no answer within ${String(sendMs)} ms`)));
    sent.once('error', failed);
    sent.end(body);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // An answer that is no JSON is shown as it came.
    return text;
  }
}
