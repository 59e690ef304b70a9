// The way in for people and scripts: curl --unix-socket, where there is a curl.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { startControl } from '../labs/control-lab.ts';

const hasCurl = spawnSync('curl', ['--version']).status === 0;
const run = promisify(execFile);

test(
  'curl reads, posts and is refused as anybody would expect',
  { skip: hasCurl ? false : 'there is no curl on this machine' },
  async (t) => {
    const { path } = await startControl(t);
    const curl = async (...args: string[]): Promise<string> =>
      (await run('curl', ['--silent', '--show-error', '--max-time', '20', '--unix-socket', path, ...args])).stdout;
    assert.deepEqual(JSON.parse(await curl('http://localhost/api/ping')), {
      pong: true,
      at: '2026-01-01T00:00:00.000Z',
    });
    assert.equal(
      await curl('--http2', '-o', '/dev/null', '-w', '%{http_code} %{http_version}', 'http://localhost/api/ping'),
      '200 1.1',
      'an offer of HTTP/2 is passed over',
    );
    const json = ['-H', 'content-type: application/json'];
    assert.deepEqual(JSON.parse(await curl(...json, '-d', '{"input":{"a":1}}', 'http://localhost/api/tools/p/echo')), {
      output: { a: 1 },
      durationMs: 0,
    });
    const large = JSON.stringify({ input: 'x'.repeat(2 * 1024 * 1024) });
    const { output } = JSON.parse(
      await new Promise<string>((resolve, reject) => {
        const child = execFile(
          'curl',
          [
            '--silent',
            '--max-time',
            '20',
            '--unix-socket',
            path,
            ...json,
            '--data-binary',
            '@-',
            'http://localhost/api/tools/p/echo',
          ],
          { maxBuffer: 8 * 1024 * 1024 },
          (error, stdout) => (error === null ? resolve(stdout) : reject(error)),
        );
        child.stdin?.end(large);
      }),
    ) as { output: string };
    assert.equal(output.length, 2 * 1024 * 1024);
    assert.equal(
      await curl('-o', '/dev/null', '-w', '%{http_code} %{content_type}', '-X', 'PUT', 'http://localhost/api/ping'),
      '405 application/problem+json',
    );
    assert.equal(
      await curl(
        '-o',
        '/dev/null',
        '-w',
        '%{http_code} %{http_code}',
        '-d',
        'a=b',
        'http://localhost/api/tools/p/echo',
      ),
      '400 400',
    );
    assert.match(await curl('-I', 'http://localhost/api/ping'), /^HTTP\/1\.1 200 OK\r\n/);
  },
);
