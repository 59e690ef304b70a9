// The neighbour nobody wants: each event tells it in which way to misbehave.
import { setImmediate as turn } from 'node:timers/promises';

const big = 'x'.repeat(64 * 1024);

const deeds = {
  nothing: () => null,
  loop: () => {
    for (;;);
  },
  logs: async () => {
    for (;;) {
      for (let line = 0; line < 200; line += 1) console.log('a line of a flood', line, 'that nobody asked for');
      await turn();
    }
  },
  results: () => big,
  dies: () => process.exit(1),
};

export const service = {
  start() {},
  handleIngress: (event) => deeds[event.payload.deed](),
};
