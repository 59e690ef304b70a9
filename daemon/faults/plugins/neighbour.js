// The neighbour that the kit asks all the while. Its answer holds what it sees of the world, so that a fault that leaks
// into other cells shows.
let heard = 0;
const channel = new BroadcastChannel('nagaya');
channel.onmessage = () => {
  heard += 1;
};

const seen = (n) => ({
  n,
  polluted: typeof {}.polluted,
  leaked: process.env.NAGAYA_FAULT_LEAK ?? null,
  mapped: [1, 2, 3].map((value) => value * 2),
  text: JSON.parse(JSON.stringify({ fine: true })),
  folder: process.cwd(),
  heard,
});

export const service = {
  start() {},
  handleIngress: ({ payload }) => seen(payload.n),
};
