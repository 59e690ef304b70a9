// The file by which launchd runs the daemon on macOS, checked as what it is: XML of a known form.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemService } from '../../daemon/cli/system-service/places.ts';

test('the property list names the command, escapes what XML would read, and restarts the daemon only after a failure', () => {
  const service = systemService(
    { plugins: ['/Users/ada/<plugins> & more'] },
    { platform: 'darwin', env: { HOME: '/Users/ada', PATH: '/usr/bin' } },
  );
  const [{ path, text }] = service.files as [{ path: string; text: string }];
  assert.equal(path, '/Users/ada/Library/LaunchAgents/org.nagaya.daemon.plist');
  assert.match(text, /<string>\/Users\/ada\/&lt;plugins&gt; &amp; more<\/string>/);
  assert.match(text, /<key>SuccessfulExit<\/key><false\/>/);
  assert.match(text, /<key>NAGAYA_SERVICE<\/key><string>launchd<\/string>/);
  const open: string[] = [];
  for (const [, end, name = '', alone] of text.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
    if (alone === '/') continue;
    if (end === '') open.push(name);
    else assert.equal(open.pop(), name);
  }
  assert.deepEqual(open, []);
  assert.deepEqual(service.install[0]?.slice(0, 2), ['launchctl', 'bootstrap']);
});
