// A caller that misnames a tool is told what it asked for and what there is, in fields a program can read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unknownTool } from '../../daemon/tools/tool-errors.ts';

test('a tool that a plugin does not have is refused with the tools it has, and the nearest of them', () => {
  const { code, details, message } = unknownTool('gret', ['greet', 'part']);
  assert.equal(code, 'tool_not_found');
  assert.deepEqual(details, { tool: 'gret', known: ['greet', 'part'], suggestion: 'greet' });
  assert.match(message, /did you mean "greet"\?$/);
});

test('a tool that resembles none is refused with a list of bounded length', () => {
  const known = Array.from({ length: 100 }, (_, at) => `tool-${String(at)}`);
  const { details, message } = unknownTool('zzzzzzzzzzzz', known);
  assert.deepEqual(details, { tool: 'zzzzzzzzzzzz', known: known.slice(0, 20) });
  assert.match(message, /it has tool-0, .*tool-19\.$/);
});
