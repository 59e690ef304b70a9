// Waiting for what a test expects, with a deadline that a busy machine keeps.
import { setTimeout as sleep } from 'node:timers/promises';

const everyMs = 10;

/** `what` completes the sentence "still waiting until …". */
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`still waiting after ${String(withinMs)} ms until ${what}`);
    await sleep(everyMs);
  }
}

/** The first answer that fits. */
export async function untilAnswer<Answer>(
  what: string,
  ask: () => Answer | Promise<Answer>,
  fits: (answer: Answer) => boolean,
  withinMs = 60_000,
): Promise<Answer> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (performance.now() > endMs)
      throw new Error(`still waiting after ${String(withinMs)} ms until ${what}; last was ${JSON.stringify(answer)}`);
    await sleep(everyMs);
  }
}
