// Three steps, each an event of its own that is tried again by itself: the schedule is due, the worker has written, and
// the report is posted. A language model writes better ones: name `example.chat:chat` as the profile.
import { defineProfile, defineService } from 'nagaya/sdk';

const steps = {
  due(event, ctx) {
    const day = event.payload.scheduledAt.slice(0, 10);
    ctx.send('writer', `Write the report of ${day}.`);
    return { asked: day };
  },
  report(event, ctx) {
    ctx.send('board', { text: event.payload.content });
    return { posted: true };
  },
};

export const service = defineService({
  start() {},
  handleIngress: (event, ctx) => steps[event.kind](event, ctx),
});

export const profiles = {
  writer: defineProfile({
    onInput(input, ctx) {
      const written = ctx.history().filter(({ role }) => role === 'worker').length;
      const [day = 'today'] = /\d{4}-\d\d-\d\d/.exec(input.content) ?? [];
      ctx.say(`Report ${written + 1}: nothing is known to have gone wrong on ${day}.`);
    },
  }),
};
