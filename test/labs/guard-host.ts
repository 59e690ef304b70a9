// A process of its own around one thread cell: for trials in which a guard that fails would end the process it runs in.
// Runs each text it is given as code in the cell, and answers with a line of JSON on descriptor 3.
import { writeSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { type CellLab, Thrown, cellLab } from './cell-lab.ts';

const answersFd = 3;
const afters: (() => unknown)[] = [];
const context = { after: (act: () => unknown) => void afters.push(act) } as unknown as TestContext;

async function outcome({ run, ended }: CellLab, code: string): Promise<unknown> {
  try {
    return { answer: await run(code) };
  } catch (thrown) {
    return thrown instanceof Thrown ? { failure: thrown.failure } : { ended: (await ended).reason };
  }
}

const lab = await cellLab(context);
const answers: unknown[] = [];
for (const code of process.argv.slice(2)) answers.push(await outcome(lab, code));
writeSync(
  answersFd,
  `${JSON.stringify({ answers, logs: lab.logs.map(({ stream, text }) => `${stream}: ${text}`) })}\n`,
);
for (const act of afters.reverse()) await act();
