// A chat to try the example with: prints each message it is sent, once for each Idempotency-Key. Ctrl-C ends it.
import { createServer } from 'node:http';

const maxBodyBytes = 64 * 1024;

/** `broken()` says whether it answers 503 now, as a chat does that is just being repaired. */
export function startRoom({ port = 8090, token, said = () => undefined, broken = () => false } = {}) {
  const known = new Set();
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) {
      body += chunk;
      if (body.length > maxBodyBytes) return response.writeHead(413).end();
    }
    if (broken()) return response.writeHead(503, { 'retry-after': '1' }).end();
    if (request.headers.authorization !== `Bearer ${token}`) return response.writeHead(401).end();
    const key = request.headers['idempotency-key'];
    if (!known.has(key)) said(JSON.parse(body).text);
    known.add(key);
    response.writeHead(204).end();
  });
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)));
}

if (process.argv[1] === import.meta.filename) {
  await startRoom({ token: process.env.CHAT_ROOM_TOKEN, said: (text) => console.log(text) });
}
