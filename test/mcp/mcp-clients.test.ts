// Clients of both generations of the SDK, of both eras of the protocol, over stdio and HTTP, see plugins' tools alike.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Way, connectBy, connectNewer, startMcpLab, ways } from '../labs/mcp-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { writtenIn } from '../labs/tool-lab.ts';
import { until } from '../labs/until.ts';

const textOf = ({ content }: { content: readonly { readonly text?: string }[] }): string => content[0]?.text ?? '';

test('tools are listed, called and refused alike over every way in', async (t) => {
  const lab = await startMcpLab(t);
  const check = async (way: Way): Promise<void> => {
    const client = await connectBy(t, lab, way);
    const { tools } = await client.listTools();
    assert.deepEqual(
      tools.map(({ name }) => name),
      ['echo', 'hang', 'image', 'list', 'loop', 'slow', 'steps', 'text', 'throws'].map((name) => `test_mcp__${name}`),
    );
    const { title, description, inputSchema, outputSchema, annotations } = tools[0] ?? assert.fail();
    assert.deepEqual(
      { title, description, inputSchema, outputSchema, annotations },
      {
        title: 'Echo',
        description: 'Answers with its input.',
        inputSchema: { type: 'object', properties: { a: { type: 'number' } } },
        outputSchema: { type: 'object' },
        annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
      },
    );
    const echoed = await client.callTool({ name: 'test_mcp__echo', arguments: { a: 1 } });
    assert.deepEqual(echoed.structuredContent, { a: 1 });
    assert.equal(textOf(echoed), '{"a":1}');
    const wrapped = await client.callTool({ name: 'test_mcp__text', arguments: { input: 'this' } });
    assert.equal(textOf(wrapped), 'got this');
    const { content } = await client.callTool({ name: 'test_mcp__image', arguments: {} });
    assert.deepEqual(content[0], { type: 'image', data: 'aGk=', mimeType: 'image/png' });
    assert.equal(content[1]?.type, 'resource');
    const listed = await client.callTool({ name: 'test_mcp__list', arguments: {} });
    assert.deepEqual(listed.structuredContent, way.startsWith('modern') ? [1, 2] : { result: [1, 2] });

    const thrown = await client.callTool({ name: 'test_mcp__throws', arguments: {} });
    assert.equal(thrown.isError, true);
    assert.match(textOf(thrown), /there is no city of that name[^]*tool_failed/);
    assert.equal((thrown._meta?.['nagaya/error'] as { code?: string }).code, 'tool_failed');
    const invalid = await client.callTool({ name: 'test_mcp__echo', arguments: { a: 'one' } });
    assert.match(textOf(invalid), /a must be a number[^]*tool_input_invalid/);
    assert.match(textOf(await client.callTool({ name: 'test_mcp__slow', arguments: {} })), /tool_timeout/);
    await assert.rejects(client.callTool({ name: 'test_mcp__none', arguments: {} }), /Unknown tool/);
  };
  for (const way of ways) await check(way);
});

for (const way of ['stdio', 'http'] as const) {
  for (const modern of [false, true]) {
    const era = modern ? 'newer' : 'older';
    test(`over ${way} in the ${era} era, progress is told and a withdrawn call ends in its cell`, async (t) => {
      const lab = await startMcpLab(t);
      const client = await connectNewer(t, lab, way, { modern });
      let heard: unknown[] = [];
      // The SDK's client drops reports that come in one piece with the answer, as they do on a busy machine.
      await until('all of the progress is heard', async () => {
        heard = [];
        const result = await client.callTool(
          { name: 'test_mcp__steps', arguments: {} },
          { onprogress: ({ progress, total, message }) => void heard.push([progress, total, message]) },
        );
        assert.equal(textOf(result as { content: { text?: string }[] }), 'done');
        return heard.length >= 3;
      });
      assert.deepEqual(heard, [
        [1, 3, 'step 1'],
        [2, 3, 'step 2'],
        [3, 3, 'step 3'],
      ]);

      for (const name of ['hang', 'loop']) {
        const path = join(await temporaryFolder(t), name);
        const controller = new AbortController();
        const call = client.callTool({ name: `test_mcp__${name}`, arguments: { path } }, { signal: controller.signal });
        await until('the call runs', async () => (await writtenIn(path)) === 'running');
        controller.abort('not needed any more');
        await assert.rejects(call);
        const control = await lab.daemon.connect();
        await until(
          'the call is over',
          async () => (await control.call('daemon.status', {})).counts.toolCallsPending === 0,
        );
        if (name === 'hang') await until('the tool was told', async () => (await writtenIn(path)) === 'aborted');
      }
    });
  }
}
