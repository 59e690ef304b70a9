// The service of the soak: most events are trivial, some wait, some fail, some say a word to the log.
import { setTimeout as sleep } from 'node:timers/promises';

const deeds = {
  fine: (event) => event.payload.amount,
  waits: (event) => sleep(1).then(() => event.payload.amount),
  fails: () => {
    throw new Error('this one was to fail');
  },
  logs: (event, ctx) => {
    ctx.log.info('a word', { amount: event.payload.amount });
    return event.payload.amount;
  },
};

export const service = {
  start() {},
  handleIngress: (event, ctx) => deeds[event.payload.deed ?? 'fine'](event, ctx),
};
