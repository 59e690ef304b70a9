// The daemon itself: how it is, what its store holds, the limits in force, and what was done to it.
import { get, wordsOf } from './api.js';
import { html, useLook } from './parts.js';
import { duration, megabytes, number, plural, time } from './words.js';

const Facts = ({ facts }) => html`<dl class="facts">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

/** What is known to be in use of a limit. */
const inUse = ({ counts }) => ({
  plugins: counts.plugins,
  connections: counts.connections,
  halfLineBytes: counts.halfLineBytes,
  subscriptions: counts.subscriptions,
  workers: counts.workers,
});

export function Daemon() {
  const daemon = useLook(() => get('/api/daemon'), 3000, []);
  const store = useLook(() => get('/api/store'), 10_000, []);
  const audit = useLook(() => get('/api/audit?limit=100'), 5000, []);
  if (daemon.value === undefined) return html`<main class="console" id="daemon"><h2 id="title" tabindex="-1">The daemon</h2><p>${daemon.error === undefined ? 'Reading …' : wordsOf(daemon.error)}</p></main>`;
  const { counts, memory, eventLoopDelayMs, descriptors, threadPool, limits, guardian, mcp, notes, standstills } = daemon.value;
  const used = { ...inUse(daemon.value), storeBytes: store.value?.usedBytes };
  return html`<main class="console" id="daemon">
    <h2 id="title" tabindex="-1">The daemon</h2>
    ${notes.map((note) => html`<p key=${note} class="hint">${note}</p>`)}
    <${Facts} facts=${[
      ['Version', `${daemon.value.version} on Node ${daemon.value.node}`],
      ['Up', `${duration(daemon.value.uptimeMs)}, since ${time(daemon.value.startedAt)}`],
      ['Memory', `${megabytes(memory.rssMb)} resident, ${megabytes(memory.heapUsedMb)} heap`],
      ['Event loop', `delay p99 ${duration(eventLoopDelayMs.p99)}, most ${duration(eventLoopDelayMs.max)}`],
      ['Descriptors', `${number(descriptors.open ?? 0)} of ${number(descriptors.limit ?? 0)}`],
      ['Pool of threads', threadPool.fullSince === null ? `${threadPool.threads} threads, not full` : `full since ${time(threadPool.fullSince)}`],
      ['Connections', `${counts.connections} on the socket`],
      ['MCP', mcp.running ? `${plural(mcp.connections, 'client')} on the socket, ${plural(mcp.calls, 'call')} pending, ${plural(mcp.servers, 'hosted server')}` : 'not used'],
      ['Workers', `${counts.workers}, ${counts.workersBusy} busy`],
      ['Unkillable cells', number(counts.unkillable)],
      ['Stood still', `${plural(standstills.count, 'time')}, ${duration(standstills.totalMs)} in all`],
      ['Guardian', guardian === null ? 'none' : `${plural(guardian.deaths.length, 'daemon')} died under it`],
    ]} />
    <section aria-labelledby="store-title"><h3 id="store-title">Store</h3>
      ${store.value === undefined ? html`<p>${store.error === undefined ? 'Reading …' : wordsOf(store.error)}</p>` : html`<${Facts} facts=${[['State', store.value.state], ['Used', `${megabytes(store.value.usedBytes / 1048576)} of ${megabytes(store.value.limitBytes / 1048576)}`], ...store.value.tables.map(({ name, entries }) => [name, plural(entries ?? 0, 'entry', 'entries')])]} />`}
    </section>
    <section aria-labelledby="audit-title"><h3 id="audit-title">What was done</h3>
      <div class="scroll" tabindex="0" role="region" aria-label="What was done"><table id="audit">
        <thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">To</th><th scope="col">Outcome</th></tr></thead>
        <tbody>${(audit.value?.entries ?? []).map((entry, index) => html`<tr key=${`${entry.at} ${index}`}><td>${time(entry.at)}</td><td>${entry.who}</td><th scope="row">${entry.operation}</th><td>${[entry.plugin, entry.tool, entry.source, entry.output, entry.workerId].filter((name) => name !== undefined).join(' ')}</td><td>${entry.outcome}</td></tr>`)}</tbody>
      </table></div>
    </section>
    <section aria-labelledby="limits-title"><h3 id="limits-title">Limits in force</h3>
      <div class="scroll" tabindex="0" role="region" aria-label="Limits"><table><thead><tr><th scope="col">Limit</th><th scope="col">Value</th><th scope="col">In use</th></tr></thead><tbody>${Object.entries(limits).map(([name, value]) => html`<tr key=${name}><th scope="row">${name}</th><td>${number(value)}</td><td>${used[name] === undefined ? '' : number(used[name])}</td></tr>`)}</tbody></table></div>
    </section>
  </main>`;
}
