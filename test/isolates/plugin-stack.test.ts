// Of a plugin's error, the frames that its author can do something about.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flattenError } from '../../protocol/cell/plain-error.ts';
import { pluginStack } from '../../protocol/cell/plugin-stack.ts';

test("a stack keeps the plugin's own frames, and one of what called them", () => {
  const workers = new URL('../../dist/workers/service-runner.js', import.meta.url).href;
  const own = [
    '    at inner (file:///srv/p/dist/workers/a.js:1:2)',
    '    at async Object.handleIngress (file:///srv/p/index.js:3:4)',
  ];
  const stack = [
    'Error: a',
    'second line',
    '    at readFileSync (node:fs:441:20)',
    own[0],
    '    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)',
    own[1],
    `    at async run (${workers}:9:9)`,
    `    at async more (${workers}:8:8)`,
  ];
  assert.equal(pluginStack(stack.join('\n')), ['Error: a', 'second line', ...own, stack[6]].join('\n'));
  const alone = ['Error: a', ...Array.from({ length: 9 }, (_, at) => `    at f${String(at)} (${workers}:1:1)`)];
  assert.equal(pluginStack(alone.join('\n')).split('\n').length, 5);
  const error = new Error('not framed');
  error.stack = 'mine';
  assert.equal(flattenError(error).stack, 'mine');
});
