// A service whose queue fills up: it waits at an event that says so until that comes again, in the next daemon.
export const service = {
  start() {},
  handleIngress: (event) =>
    event.payload.hold === true && event.attempt === 1 ? new Promise(() => {}) : Promise.resolve(event.payload.amount),
};
