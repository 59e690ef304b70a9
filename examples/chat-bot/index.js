// A bot without a socket: what is said comes as events, and what it says goes to an output. The daemon connects, says
// hello, keeps the connection alive and resumes where it broke.
import { randomInt } from 'node:crypto';
import { defineService } from 'nagaya/sdk';

const commands = {
  roll: (sides) => `rolled ${randomInt(1, Math.max(2, Number(sides) || 6) + 1)}`,
  echo: (...words) => words.join(' '),
};

export const service = defineService({
  start(ctx) {
    if (ctx.state.get('answered') === undefined) ctx.state.set('answered', 0);
  },

  handleIngress(event, ctx) {
    const { from, text } = event.payload.data;
    const [name, ...words] = text.trim().split(/\s+/);
    const command = name.startsWith('!') && Object.hasOwn(commands, name.slice(1)) ? commands[name.slice(1)] : undefined;
    if (command === undefined) return { answered: false };
    ctx.send('say', { op: 'say', text: `@${from} ${command(...words)}` });
    ctx.state.set('answered', ctx.state.get('answered') + 1);
    return { answered: true };
  },
});
