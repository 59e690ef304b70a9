// What the host concludes from a watchdog that is silent, and from one that has passed the question on.
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { locateProcess } from '../../daemon/isolates/stack-capture.ts';
import { WatchLine } from '../../daemon/isolates/watch-line.ts';

/** The host's end of the pipe, and what comes from the other one. */
function watchdog(answers: (ask: number) => object | undefined): WatchLine {
  const pipe = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      const { ask } = JSON.parse(chunk.toString()) as { readonly ask: number };
      const answer = answers(ask);
      if (answer !== undefined) this.push(`${JSON.stringify(answer)}\n`);
      done();
    },
  });
  const line = new WatchLine(pipe, () => undefined);
  pipe.push(`${JSON.stringify({ ask: 0, result: null })}\n`);
  return line;
}

async function kindOf(watch: WatchLine): Promise<string> {
  // Its first word is read in another turn.
  while (!watch.up) await new Promise((resolve) => setImmediate(resolve));
  return (await locateProcess({ watch, pid: undefined, restricted: false }, '/', 40)).kind;
}

test('a watchdog that got no processor says nothing of where its main thread is', async () => {
  assert.equal(await kindOf(watchdog(() => undefined)), 'unknown');
});

test('a main thread that does not answer what its watchdog has passed on is inside native code', async () => {
  assert.equal(await kindOf(watchdog((ask) => ({ ask, taken: true }))), 'native');
});
