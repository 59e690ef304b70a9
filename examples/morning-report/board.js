// A board to try the example with: prints the reports it is sent. Ctrl-C ends it.
import { createServer } from 'node:http';

const maxBodyBytes = 64 * 1024;

export function startBoard({ port = 8092, posted }) {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) {
      body += chunk;
      if (body.length > maxBodyBytes) return response.writeHead(413).end();
    }
    posted(JSON.parse(body).text);
    response.writeHead(204).end();
  });
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)));
}

if (process.argv[1] === import.meta.filename) await startBoard({ posted: (text) => console.log(text) });
