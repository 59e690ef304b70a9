// `npm run soak:mcp [-- --clients 1000 --kills 100]`: MCP clients that connect, call and are killed with SIGKILL, in
// waves, and hosted servers that are killed at random while calls are with them. Nothing may be left of the ones, and
// the others have to come back. It ends with 1 when something is wrong.
import { parseArgs } from 'node:util';
import { clientWaves } from './client-waves.ts';
import { serverKills } from './server-kills.ts';

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '1000' },
    wave: { type: 'string', default: '20' },
    servers: { type: 'string', default: '10' },
    kills: { type: 'string', default: '100' },
    seed: { type: 'string' },
  },
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

const seed = values.seed === undefined ? Math.floor(Math.random() * 1e9) : Number(values.seed);
const progress = (text: string): void => console.error(text);
console.error(`seed ${String(seed)}`);
const waves = await clientWaves({ clients: Number(values.clients), wave: Number(values.wave), seed, progress });
const kills = await serverKills({ servers: Number(values.servers), kills: Number(values.kills), seed, progress });
console.log(JSON.stringify({ seed, waves, kills }, null, 2));
process.exit(waves.faults.length + kills.faults.length > 0 ? 1 : 0);
