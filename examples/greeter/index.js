// A service: start() initialises and returns; events then come to handleIngress(), one at a time.
import { defineService } from 'nagaya/sdk';

let salutation = 'Hello';
let greeted = 0;

export const service = defineService({
  start(ctx) {
    // plugins.overrides.example.greeter.config of the daemon's configuration.
    salutation = ctx.config.salutation ?? salutation;
    ctx.log.info('ready to greet', { salutation, incarnation: ctx.incarnation });
  },

  handleIngress(event, ctx) {
    const greeting = `${salutation}, ${event.payload.name}!`;
    greeted += 1;
    ctx.log.info('greeted', { name: event.payload.name, source: event.source });
    return { greeting };
  },

  status() {
    return { greeted };
  },

  stop(ctx) {
    ctx.log.info('good bye', { greeted });
  },
});
