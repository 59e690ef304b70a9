// A chat to try the bot with: what you type is said to the bots, and what bots say is printed. Whoever resumes is told
// what was said since. The line `drop` cuts all connections, as networks do. Ctrl-C ends it.
import { createInterface } from 'node:readline';
import { WebSocketServer } from 'ws';

const mostKept = 1000;

export async function startChat({ port = 8091, token, said = () => undefined }) {
  const messages = [];
  const bots = new Set();
  const server = new WebSocketServer({ port, host: '127.0.0.1', path: '/bots', maxPayload: 64 * 1024 });
  await new Promise((resolve) => server.once('listening', resolve));
  const tell = (bot, message) => bot.send(JSON.stringify(message));

  const orders = {
    identify: (bot) => bots.add(bot),
    resume(bot, { seq }) {
      for (const message of messages) if (message.seq > seq) tell(bot, message);
      bots.add(bot);
    },
    ping: (bot) => tell(bot, { op: 'pong' }),
    say: (bot, { text }) => said(text),
  };
  server.on('connection', (bot, request) => {
    bot.on('error', () => undefined);
    bot.on('close', () => bots.delete(bot));
    if (request.headers.authorization !== `Bearer ${token}`) return bot.close(4001, 'who are you?');
    bot.on('message', (data) => {
      const order = JSON.parse(data);
      if (Object.hasOwn(orders, order.op)) orders[order.op](bot, order);
    });
  });

  return {
    url: `ws://127.0.0.1:${server.address().port}/bots`,
    say(from, text) {
      const seq = (messages.at(-1)?.seq ?? 0) + 1;
      const message = { op: 'message', seq, id: `m-${seq}`, from, text };
      messages.push(message);
      if (messages.length > mostKept) messages.shift();
      for (const bot of bots) tell(bot, message);
    },
    get bots() {
      return bots.size;
    },
    drop() {
      for (const bot of server.clients) bot.terminate();
    },
    close() {
      this.drop();
      server.close();
    },
  };
}

if (process.argv[1] === import.meta.filename) {
  const chat = await startChat({ token: process.env.BOT_TOKEN, said: (text) => console.log(text) });
  createInterface({ input: process.stdin }).on('line', (line) => (line === 'drop' ? chat.drop() : chat.say('you', line)));
}
