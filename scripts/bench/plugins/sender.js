// Sends on what it gets, as often as an event may.
export const service = {
  start() {},
  handleIngress({ payload }, ctx) {
    for (let n = 0; n < 16; n += 1) ctx.send('out', payload, { key: String(n) });
  },
};
