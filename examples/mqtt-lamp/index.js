// A room that is too warm has its lamp lit, and put out when it has cooled down again. What was switched is in ctx.state,
// so that a restart switches nothing.
import { defineService } from 'nagaya/sdk';

const warm = { onAbove: 28, offBelow: 26 };

export const service = defineService({
  start() {},

  handleIngress(event, ctx) {
    const { topic, payload: celsius } = event.payload;
    const room = topic.split('/')[1];
    const key = `lit:${room}`;
    const isLit = ctx.state.get(key) === true;
    const shallBeLit = isLit ? celsius >= warm.offBelow : celsius > warm.onAbove;
    if (shallBeLit === isLit) return { room, changed: false };
    ctx.state.set(key, shallBeLit);
    ctx.send('lamp', shallBeLit ? 'ON' : 'OFF', { topic: `${room}/set`, key: room });
    ctx.log.info('switched', { room, celsius, lit: shallBeLit });
    return { room, changed: true };
  },
});
