// All plugins at a glance: what is wrong first, then a table that is sorted and filtered here.
import { useState } from 'preact/hooks';
import { Pager, Spark, State, html } from './parts.js';
import { ago, duration, megabytes, number, percent, plural, rate } from './words.js';

const pageSize = 50;

const columns = [
  ['plugin', 'Plugin', (row) => row.plugin],
  ['state', 'Service', (row) => row.service?.lifecycle ?? '~'],
  ['queue', 'Queue', (row) => -(row.service?.queue.depth ?? -1)],
  ['events', 'Events', (row) => -row.eventsPerSecond],
  ['handle', 'Handler p99', (row) => -(row.service?.handleMs.p99 ?? -1)],
  ['cpu', 'Processor', (row) => -row.cpuPercent],
  ['memory', 'Memory', (row) => -row.memoryMb],
  ['dead', 'Dead letters', (row) => -(row.service?.deadLetters ?? -1)],
];

const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);

/** What a person has to look at, worst first. */
function Failures({ rows, health }) {
  const named = new Set((health?.reasons ?? []).map(({ plugin }) => plugin));
  const dead = rows.filter(({ plugin, service }) => (service?.deadLetters ?? 0) > 0 && !named.has(plugin));
  const undelivered = rows.filter(({ service }) => (service?.outputs.deadLetters ?? 0) > 0);
  const held = rows.filter(({ cpuShare }) => cpuShare !== null && cpuShare.state !== 'within');
  const full = rows.filter(({ service }) => service !== null && service.queue.depth >= service.queue.capacity);
  if ((health?.reasons ?? []).length + dead.length + full.length + undelivered.length + held.length === 0) return html`<p class="fine">Nothing is wrong.</p>`;
  const link = (plugin) => html`<a href="#/plugin/${plugin}">${plugin}</a>`;
  return html`<ul class="failures">
    ${(health?.reasons ?? []).map(({ code, plugin, message }) => html`<li key="${code} ${plugin}" data-kind="failed"><strong>${code.replaceAll('_', ' ')}</strong> ${plugin === undefined ? message : link(plugin)} ${plugin !== undefined && message}</li>`)}
    ${full.map(({ plugin }) => html`<li key="full ${plugin}"><strong>queue full</strong> ${link(plugin)}</li>`)}
    ${held.map(({ plugin, cpuShare }) => html`<li key="share ${plugin}"><strong>processor</strong> ${link(plugin)} has used more than its share and is ${cpuShare.state}</li>`)}
    ${undelivered.slice(0, 20).map(({ plugin, service }) => html`<li key="output ${plugin}"><strong>undelivered</strong> ${link(plugin)} has ${plural(service.outputs.deadLetters, 'command')} that could not be delivered</li>`)}
    ${dead.slice(0, 20).map(({ plugin, service }) => html`<li key="dead ${plugin}"><strong>dead letters</strong> ${link(plugin)} has ${plural(service.deadLetters, 'dead letter')}</li>`)}
    ${dead.length > 20 && html`<li>and ${plural(dead.length - 20, 'more plugin')} with dead letters</li>`}
  </ul>`;
}

function Tiles({ rows, daemon }) {
  const services = rows.flatMap(({ service }) => (service === null ? [] : [service]));
  const running = services.filter(({ lifecycle }) => lifecycle === 'running').length;
  const tiles = [
    ['Services', `${running} of ${services.length} running`],
    ['Waiting events', number(services.reduce((sum, { queue }) => sum + queue.depth, 0))],
    ['Dead letters', number(services.reduce((sum, { deadLetters }) => sum + deadLetters, 0))],
    ['Processor', percent(rows.reduce((sum, { cpuPercent }) => sum + cpuPercent, 0))],
    ['Memory', megabytes(daemon?.rssMb ?? 0)],
  ];
  return html`<dl class="tiles">${tiles.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

export function Overview({ rows, look, health, history }) {
  const [filter, setFilter] = useState('');
  const [sort, setSort] = useState('state');
  const [page, setPage] = useState(0);
  const value = columns.find(([key]) => key === sort)?.[2] ?? columns[0][2];
  const found = rows
    .filter(({ plugin }) => plugin.includes(filter.trim().toLowerCase()))
    .sort((one, other) => compare(value(one), value(other)) || compare(one.plugin, other.plugin));
  const pages = Math.max(1, Math.ceil(found.length / pageSize));
  const shown = found.slice(Math.min(page, pages - 1) * pageSize, (Math.min(page, pages - 1) + 1) * pageSize);
  return html`<main class="console">
    <h2 id="title" tabindex="-1">Plugins</h2>
    <${Failures} rows=${rows} health=${health} />
    <${Tiles} rows=${rows} daemon=${look?.daemon} />
    <label class="filter">Find a plugin <input id="filter" type="search" value=${filter} onInput=${({ target }) => { setFilter(target.value); setPage(0); }} /></label>
    <div class="scroll" tabindex="0" role="region" aria-label="Plugins">
      <table id="plugins">
        <caption class="unseen">Plugins with the state of their service, their queue, rates, processor and memory</caption>
        <thead><tr>${columns.map(([key, title]) => html`<th key=${key} scope="col" aria-sort=${sort === key ? 'ascending' : 'none'}><button type="button" class="plain" onClick=${() => setSort(key)}>${title}${sort === key ? ' ↓' : ''}</button></th>`)}</tr></thead>
        <tbody>${shown.map((row) => html`<tr key=${row.plugin} data-plugin=${row.plugin}>
          <th scope="row"><a href="#/plugin/${row.plugin}">${row.plugin}</a></th>
          <td><${State} lifecycle=${row.service?.lifecycle} /></td>
          <td>${row.service === null ? '–' : `${number(row.service.queue.depth)} of ${number(row.service.queue.capacity)}`}</td>
          <td>${row.service === null ? '–' : html`${rate(row.eventsPerSecond)} <${Spark} values=${history.of(row.plugin).events} label="events a second, last minutes" />`}</td>
          <td>${row.service === null ? '–' : duration(row.service.handleMs.p99)}</td>
          <td>${percent(row.cpuPercent)} <${Spark} values=${history.of(row.plugin).cpu} label="processor, last minutes" /></td>
          <td>${megabytes(row.memoryMb)}</td>
          <td>${row.service === null ? '–' : number(row.service.deadLetters)}</td>
        </tr>`)}</tbody>
      </table>
    </div>
    <${Pager} page=${Math.min(page, pages - 1)} pages=${pages} choose=${setPage} what="plugins" />
    ${found.length === 0 && html`<p>${rows.length === 0 ? 'No plugins are loaded.' : 'No plugin has that in its name.'}</p>`}
    <p class="hint">Looked at ${look === undefined ? 'never' : ago(look.at)}.</p>
  </main>`;
}
