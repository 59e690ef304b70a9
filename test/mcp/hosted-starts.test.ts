// However a hosted server fails to start, whoever starts it is told what it did.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostError } from '../../protocol/errors.ts';
import { loadServer, plugin } from '../labs/hosted-lab.ts';

const starts: readonly [fault: string, code: string, message: RegExp][] = [
  ['exits at start', 'start_failed', /exit code 3/],
  ['hangs in initialize', 'start_timeout', /did not start within 500 ms/],
  ['garbage at start', 'start_failed', /lines that are no JSON-RPC/],
  // Whichever bound it meets first.
  ['no newline', 'start_failed', /longer than limits\.lineBytes|limits\.rssMb/],
  ['unknown version', 'start_failed', /1999-01-01/],
  ['endless pages', 'start_failed', /more than 100 pages/],
  ['lists nonsense', 'start_failed', /without a list of tools/],
];

test('a program that is not there is named', async (t) => {
  for (const command of ['nagaya-no-such-program', './bin/none', '/nowhere/none']) {
    const lab = await loadServer(t, '', { command, restart: { policy: 'never' } });
    await assert.rejects(lab.client.call('service.start', { plugin }), /there is no program "[^"]*\/?no[^"]*"/);
    lab.daemon.signal('SIGTERM');
    await lab.daemon.ended;
  }
});

test('a server that does not start right is refused with what it did', async (t) => {
  for (const [fault, code, message] of starts) {
    const lab = await loadServer(t, fault, {
      timeouts: { startMs: fault.startsWith('hangs') ? 500 : 20_000 },
      restart: { policy: 'never' },
    });
    await assert.rejects(lab.client.call('service.start', { plugin }), (error: unknown) => {
      assert.ok(error instanceof HostError);
      assert.equal(error.code, code, `${fault}: ${error.message}`);
      assert.match(error.message, message);
      return true;
    });
    assert.equal((await lab.refusal('echo')).code, 'service_failed', fault);
    lab.daemon.signal('SIGTERM');
    await lab.daemon.ended;
  }
});
