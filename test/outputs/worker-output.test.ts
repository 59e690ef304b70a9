// Outputs of type worker: a real daemon gives commands to workers, and what they say comes back as events.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { outputLab, sender } from '../labs/output-lab.ts';
import { writePlugin } from '../labs/written-plugin.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { until } from '../labs/until.ts';

const talker = 'test.talker';
const talkerCode = `
import { existsSync, writeFileSync } from 'node:fs';
export const profiles = { chat: { async onInput(input, ctx) {
  if (input.content === 'fail') throw new Error('planned');
  if (input.content === 'wait') await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
  const [, marker] = input.content.split('once: ');
  if (marker !== undefined && !existsSync(marker)) {
    writeFileSync(marker, '');
    await new Promise(() => {});
  }
  const before = ctx.history().filter(({ role }) => role === 'worker').length;
  if (input.content !== 'silence') ctx.say(\`\${before}: \${input.content}\`);
} } };
`;
const assistant = {
  name: 'assistant',
  type: 'worker',
  profile: `${talker}:chat`,
  answer: { ingress: 'in', kind: 'answer' },
};

async function lab(
  t: Parameters<typeof outputLab>[0],
  outputs: readonly object[] = [assistant],
  more: Parameters<typeof outputLab>[1] = {},
) {
  const folder = await temporaryFolder(t);
  writePlugin(folder, {
    manifest: { id: talker, profiles: [{ name: 'chat', description: 'Says it again' }] },
    files: { 'index.js': talkerCode },
  });
  const made = await outputLab(t, { outputs, more: [folder], ...more });
  const answers = async (): Promise<unknown[]> => ((await made.state(sender))['answers'] ?? []) as unknown[];
  const contents = async (): Promise<unknown[]> => (await answers()).map((one) => (one as { content: string }).content);
  return { ...made, answers, contents };
}

test('each key has a worker of its own, and what it says comes back as an event', async (t) => {
  const { send, contents, answers, output, client } = await lab(t);
  await send(
    ['assistant', 'hello', { key: 'ada' }],
    ['assistant', { n: 1 }, { key: 'ada' }],
    ['assistant', 'hello', { key: 'ben' }],
    ['assistant', 'silence', { key: 'cyd' }],
  );
  await until('all have answered', async () => (await contents()).length === 4);
  assert.deepEqual((await contents()).sort(), ['', '0: hello', '0: hello', '1: {"n":1}']);
  const { workers } = await client.call('worker.list', { runtimeId: 'backend-internal' });
  assert.equal(workers.length, 3);
  const [first] = (await answers()) as { runtimeId: string; workerId: string; inputId: string }[];
  assert.equal(first?.runtimeId, 'backend-internal');
  assert.ok(workers.some(({ workerId }) => workerId === first.workerId));
  await until('all are delivered', async () => (await output('assistant')).sent === 4);
});

test('a worker that was stopped is followed by another, and an input that fails is a dead letter', async (t) => {
  const { send, contents, output, client } = await lab(t);
  await send(['assistant', 'one']);
  await until('it has answered', async () => (await contents()).length === 1);
  const [worker] = (await client.call('worker.list', {})).workers.filter(
    ({ profile }) => profile === assistant.profile,
  );
  await client.call('worker.stop', { runtimeId: 'backend-internal', workerId: worker?.workerId ?? '' });
  await send(['assistant', 'two'], ['assistant', 'fail', { key: 'other' }]);
  await until('another has answered', async () => (await contents()).length === 2);
  assert.deepEqual(await contents(), ['0: one', '0: two']);
  await until('the failure is a dead letter', async () => (await output('assistant')).deadLetters === 1);
  const { deadLetters } = await client.call('output.show', { plugin: sender, output: 'assistant' });
  assert.equal(deadLetters[0]?.error.code, 'output_refused');
  assert.doesNotMatch(JSON.stringify(deadLetters), /planned/);
  // A dead letter that is sent again is a new input.
  await client.call('output.retry', { plugin: sender, output: 'assistant' });
  await until('it failed again', async () => (await output('assistant')).failed === 2);
});

test('without an answer a command is delivered when the worker has it', async (t) => {
  const { answer: _, ...silent } = assistant;
  const { send, output, contents, client } = await lab(t, [silent]);
  await send(['assistant', 'wait']);
  await until('it is delivered', async () => (await output('assistant')).sent === 1);
  assert.deepEqual(await contents(), []);
  const { workers } = await client.call('worker.list', {});
  assert.ok(workers.some(({ state }) => state === 'busy'));
});

test('a profile that is not there is waited for', async (t) => {
  const { send, output, client } = await lab(t, [{ ...assistant, profile: 'test.nobody:chat' }]);
  await send(['assistant', 'hello']);
  await until('it is tried again', async () => (await output('assistant')).state === 'retrying');
  assert.equal((await output('assistant')).lastError?.code, 'profile_not_found');
  assert.ok(client !== undefined);
});

test('an input whose worker the end of the daemon has interrupted is given again, and answered once', async (t) => {
  const folder = await temporaryFolder(t);
  const marker = join(folder, 'begun');
  const input = `once: ${marker}`;
  const first = await lab(t, [assistant], { folder });
  await first.publish({ send: [['assistant', input]] });
  await until('the worker is at it', () => Promise.resolve(existsSync(marker)));
  first.daemon.signal('SIGKILL');
  await first.daemon.ended;
  const second = await lab(t, [assistant], { folder });
  await until('it is delivered', async () => (await second.output('assistant')).sent === 1, 30_000);
  await until('the answer is handled', async () => (await second.contents()).length > 0);
  assert.deepEqual(await second.contents(), [`0: ${input}`]);
  const { pending, deadLetters } = await second.output('assistant');
  assert.deepEqual({ pending, deadLetters }, { pending: 0, deadLetters: 0 });
  // The same worker, which sees in its history that it was interrupted.
  const [worker, ...others] = (await second.client.call('worker.list', {})).workers.filter(
    ({ profile }) => profile === assistant.profile,
  );
  assert.deepEqual(others, []);
  const { items } = await second.client.call('worker.transcript', {
    runtimeId: 'backend-internal',
    workerId: worker?.workerId ?? '',
    start: 1,
    limit: 10,
  });
  assert.deepEqual(
    items.map(({ role }) => role),
    ['user', 'host', 'user', 'worker'],
  );
});
