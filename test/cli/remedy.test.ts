// What the command says of an error: its remedy with real values, and a failure that came before in words.
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { type CommandFailure, asFailure, reportFailure } from '../../daemon/cli/failure.ts';
import { remedyOf } from '../../daemon/cli/remedy.ts';
import { Terminal } from '../../daemon/cli/views/terminal.ts';
import { HostError } from '../../protocol/errors.ts';

function told(failure: CommandFailure): string {
  let text = '';
  const sink = new Writable({ write: (chunk: Buffer, _encoding, done) => ((text += chunk.toString()), done()) });
  reportFailure(new Terminal({ out: sink, err: sink, env: {}, json: false }), failure);
  return text;
}

test('a remedy names the plugin and the folder that the details know', () => {
  assert.match(
    remedyOf(new HostError('service_failed', 'no', { plugin: 'acme.mail' })),
    /`nagaya status acme\.mail`.*`nagaya start acme\.mail`/,
  );
  assert.match(
    remedyOf(new HostError('plugin_invalid', 'no', { path: '/srv/my plugin' })),
    /`nagaya check '\/srv\/my plugin'`/,
  );
  assert.match(remedyOf(new HostError('worker_not_found', 'no', { runtimeId: 'embedded' })), /--runtime embedded`/);
});

test('a remedy names what the command line has named where the details do not', () => {
  assert.match(
    asFailure(new HostError('cell_crashed', 'no'), { plugin: 'acme.mail' }).remedy,
    /`nagaya logs acme\.mail`/,
  );
  assert.match(remedyOf(new HostError('cell_crashed', 'no')), /`nagaya logs ID`/);
});

test('what is unsupported is told with what to use instead', () => {
  assert.equal(
    remedyOf(new HostError('unsupported_operation', 'no', { instead: 'its tools' })),
    'Use its tools instead.',
  );
});

test('the failure before is told by its code, message and place, and not as JSON', () => {
  const lastFailure = {
    code: 'start_failed',
    message: 'The plugin failed to start: no',
    at: 'then',
    stack: 'Error: no\n    at start (file:///srv/p/index.js:3:9)\n    at more (file:///srv/p/index.js:9:9)',
  };
  const text = told(asFailure(new HostError('service_failed', 'It has failed.', { plugin: 'p', lastFailure })));
  assert.match(
    text,
    /last failure: start_failed: The plugin failed to start: no\n\s+at start \(file:\/\/\/srv\/p\/index\.js:3:9\)\n/,
  );
  assert.doesNotMatch(text, /[{}]|at more/);
});
