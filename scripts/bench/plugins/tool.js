// The trivial tool: what it does for a call is what every peer's handler does.
export const tools = {
  amount: (event) => Promise.resolve(event.payload.amount),
};
