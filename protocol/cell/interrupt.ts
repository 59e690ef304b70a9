// The inspector delivers what it has to say as an interrupt: in the middle of whatever JavaScript its thread just runs,
// which may be Node's own timers or streams halfway through a change. Code that runs there and sets a timer or writes
// leaves them broken; a timer cleared at such a moment had the host's thread loop in Node's list of timers for ever.

const settled = Promise.resolve();

/**
 * Runs once the JavaScript that was interrupted is done. To enqueue a microtask is V8's own doing and touches nothing
 * of Node.
 */
export function afterInterrupt(act: () => void): void {
  void settled.then(act);
}
