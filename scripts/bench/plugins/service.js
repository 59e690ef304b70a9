// The trivial service: what it does for an event is what every peer's handler does.
export const service = {
  start() {},
  handleIngress: (event) => Promise.resolve(event.payload.amount),
};
