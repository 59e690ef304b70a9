// One plugin: how it is, what happened, what it says, what comes in, what it offers, and what can be done.
import { useState } from 'preact/hooks';
import { at, get, post, wordsOf } from './api.js';
import { DeadLetters } from './dead-letters.js';
import { Outputs } from './outputs.js';
import { Chart, Confirm, State, html, useLook } from './parts.js';
import { Sources } from './sources.js';
import { Tools } from './tools.js';
import { ago, duration, megabytes, number, percent, plural, rate, time } from './words.js';

const actions = {
  start: { title: 'Start', path: (plugin) => at('services', plugin, 'start') },
  stop: { title: 'Stop', path: (plugin) => at('services', plugin, 'stop'), question: (plugin, waiting) => `Stop ${plugin}? It handles no more events until it is started${waiting > 0 ? `; the ${plural(waiting, 'event')} that still ${waiting === 1 ? 'waits' : 'wait'} when it has stopped ${waiting === 1 ? 'is' : 'are'} kept` : '; what waits is kept'}.` },
  restart: { title: 'Restart', path: (plugin) => at('services', plugin, 'restart'), question: (plugin) => `Restart ${plugin}? What it holds in memory is lost; what waits is kept.` },
  reload: { title: 'Reload', path: (plugin) => at('plugins', plugin, 'reload'), question: (plugin) => `Read ${plugin} again and hand over to the new code? What it holds in memory is lost.` },
};

function Facts({ status, row }) {
  const { counters, queue, handleMs, queueMs, lastError, incarnation, cell, retrying } = status;
  const facts = [
    ['State', html`<${State} lifecycle=${status.lifecycle} />`],
    ['Since', status.startedAt === null ? 'not running' : `${time(status.startedAt)}, life ${incarnation}`],
    ['Queue', `${number(queue.depth)} of ${number(queue.capacity)} waiting${queue.oldestAgeMs > 0 ? `, the oldest for ${duration(queue.oldestAgeMs)}` : ''}`],
    ['Retrying', retrying.count === 0 ? 'none' : plural(retrying.count, 'event')],
    ['Handled', number(counters.handled)],
    ['Failed', `${number(counters.failed)}, ${number(counters.deadLettered)} became dead letters, ${number(counters.discarded)} discarded`],
    ['Restarts', number(counters.restarts)],
    ['Waits', `${duration(queueMs.p50)} median, ${duration(queueMs.p99)} p99`],
    ['Handler', `${duration(handleMs.p50)} median, ${duration(handleMs.p99)} p99`],
    ['Processor time', `${(row?.cpuSeconds ?? status.usage.cpuSeconds).toFixed(1)} s`],
    ...(status.cpuShare === null ? [] : [['Share of the processor', `${percent(status.cpuShare.usedShare * 100)} of ${percent(status.cpuShare.share * 100)}${status.cpuShare.state === 'within' ? '' : `, ${status.cpuShare.state}`}${status.cpuShare.pausedMs > 0 ? `, paused for ${duration(status.cpuShare.pausedMs)} in all` : ''}`]]),
    ['Runs in', cell === null ? 'nothing' : cell.pid === undefined ? 'a thread' : 'a process'],
  ];
  return html`<dl class="facts">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    ${lastError !== null && html`<p class="bad" id="last-error"><strong>Last error, ${ago(lastError.at)}</strong> (${lastError.code}): ${lastError.message}</p>`}`;
}

/** How it is, what went wrong, why, and what to do about it. */
function Explanation({ story: { value, error } }) {
  if (value === undefined) return html`<p>${error === undefined ? 'Reading …' : wordsOf(error)}</p>`;
  return html`<ul id="explanation">${value.explanation.map(({ about, level, at: when, what, why, remedy }, index) => html`<li key=${`${about} ${index}`} data-level=${level}>
    <strong class="unseen">${level === 'info' ? '' : `${level}: `}</strong>${what}${when !== null && html` <span class="quiet">${ago(when)}</span>`}
    ${why !== null && html`<div class="why">${why}</div>`}
    ${remedy !== null && html`<div class="quiet">What to do: ${remedy}</div>`}
  </li>`)}</ul>`;
}

function Timeline({ story: { value, error } }) {
  if (value === undefined) return html`<p>${error === undefined ? 'Reading …' : wordsOf(error)}</p>`;
  if (value.entries.length === 0) return html`<p>Nothing has happened yet.</p>`;
  return html`<div class="timeline" tabindex="0" role="region" aria-label="What happened"><ol>${value.entries.toReversed().map(({ sequence, at: when, level, message }) => html`<li key=${sequence} data-level=${level}><time>${time(when)}</time> ${message}</li>`)}</ol></div>`;
}

function Log({ plugin }) {
  const [filter, setFilter] = useState('');
  const [level, setLevel] = useState('');
  const { value, error } = useLook(() => get(`/api/logs?plugin=${encodeURIComponent(plugin)}&limit=300`), 1500, [plugin]);
  const lines = (value?.lines ?? []).filter((line) => (level === '' || line.level === level) && (filter === '' || JSON.stringify(line).toLowerCase().includes(filter.toLowerCase())));
  return html`<div class="row">
      <label>Show only lines with <input id="log-filter" type="search" value=${filter} onInput=${({ target }) => setFilter(target.value)} /></label>
      <label>Level <select onChange=${({ target }) => setLevel(target.value)}><option value="">all</option>${['debug', 'info', 'warn', 'error'].map((each) => html`<option key=${each}>${each}</option>`)}</select></label>
    </div>
    ${error !== undefined && html`<p>${wordsOf(error)}</p>`}
    <div class="log" id="log" tabindex="0" role="region" aria-label="Log, newest last"><ol>${lines.map((line, index) => html`<li key=${`${line.time} ${index}`} data-level=${line.level}><time>${time(line.time)}</time> <span class="level">${line.level}</span> ${line.msg}${line.data === undefined ? '' : html` <code>${JSON.stringify(line.data)}</code>`}</li>`)}</ol></div>
    ${value?.droppedLines > 0 && html`<p class="hint">${plural(value.droppedLines, 'line was', 'lines were')} dropped over a budget.</p>`}`;
}

function Ingresses({ ingresses }) {
  if (ingresses.length === 0) return html`<p>It has none.</p>`;
  return html`<ul>${ingresses.map(({ name, kinds, description }) => html`<li key=${name}><strong>${name}</strong> takes ${kinds.join(', ')}${description === undefined ? '' : `: ${description}`}</li>`)}</ul>`;
}

const Section = ({ title, id, children }) => html`<section aria-labelledby=${id}><h3 id=${id}>${title}</h3>${children}</section>`;

export function Plugin({ plugin, row, history, readOnly }) {
  const [asking, setAsking] = useState();
  const [said, setSaid] = useState({ text: '' });
  const shown = useLook(() => get(at('plugins', plugin)), 10_000, [plugin]);
  const hasService = shown.value?.plugin.hasService === true;
  const status = useLook(() => (hasService ? get(at('services', plugin)) : Promise.resolve(undefined)), 2000, [plugin, hasService]);
  const story = useLook(() => get(`${at('plugins', plugin, 'story')}?limit=60`), 3000, [plugin]);
  // The heading has the focus from the beginning: it stays the same element when the rest has come.
  if (shown.value === undefined) return html`<main class="console" id="plugin"><p><a href="#/">All plugins</a></p><h2 id="title" tabindex="-1">${plugin}</h2><p>${shown.error === undefined ? 'Reading …' : wordsOf(shown.error)}</p></main>`;
  const { manifest, plugin: summary } = shown.value;
  const act = async (name) => {
    setAsking(undefined);
    setSaid({ text: `${actions[name].title} …` });
    try {
      await post(actions[name].path(plugin));
      setSaid({ text: `${actions[name].title}: done.` });
    } catch (error) {
      setSaid({ text: `${actions[name].title}: ${wordsOf(error)}`, bad: true });
    }
    status.again();
    shown.again();
  };
  const lifecycle = status.value?.lifecycle;
  const waiting = status.value?.queue.depth ?? 0;
  const possible = [
    ...(hasService ? (lifecycle === 'running' || lifecycle === 'starting' ? ['restart', 'stop'] : lifecycle === 'failed' ? ['start', 'stop'] : ['start']) : []),
    'reload',
  ];
  const kept = history.of(plugin);
  const sources = manifest.service?.sources ?? [];
  const outputs = manifest.service?.outputs ?? [];
  return html`<main class="console" id="plugin">
    <p><a href="#/">All plugins</a></p>
    <h2 id="title" tabindex="-1">${summary.name} <small>${plugin} ${summary.version}</small></h2>
    ${!readOnly && html`<div class="buttons">${possible.map((name) => html`<button key=${name} type="button" id="act-${name}" class=${name === 'stop' ? 'danger' : ''} onClick=${() => (actions[name].question === undefined ? act(name) : setAsking(name))}>${actions[name].title}</button>`)}</div>`}
    <p id="said" role="status" class=${said.bad ? 'bad' : ''}>${said.text}</p>
    ${summary.notes.map((note) => html`<p key=${note} class="hint">${note}</p>`)}
    ${status.value !== undefined && html`<${Facts} status=${status.value} row=${row} />`}
    <${Section} title="In short" id="short-title"><${Explanation} story=${story} /><//>
    <div class="charts">
      <${Chart} title="Processor" times=${kept.times} values=${kept.cpu} unit=${percent} />
      <${Chart} title="Memory" times=${kept.times} values=${kept.memory} unit=${megabytes} />
      ${hasService && html`<${Chart} title="Queue" times=${kept.times} values=${kept.queue} unit=${number} /><${Chart} title="Events" times=${kept.times} values=${kept.events} unit=${rate} />`}
    </div>
    ${hasService && html`<${Section} title="Dead letters" id="letters-title"><${DeadLetters} key=${plugin} plugin=${plugin} readOnly=${readOnly} changed=${status.again} /><//>`}
    <${Section} title="What happened" id="timeline-title"><${Timeline} story=${story} /><//>
    <${Section} title="Log" id="log-title"><${Log} plugin=${plugin} /><//>
    ${hasService && html`<${Section} title="Ingresses" id="ingresses-title"><${Ingresses} ingresses=${manifest.service?.ingresses ?? []} /><//>`}
    ${sources.length > 0 && html`<${Section} title="Sources" id="sources-title"><${Sources} plugin=${plugin} readOnly=${readOnly} /><//>`}
    ${outputs.length > 0 && html`<${Section} title="Outputs" id="outputs-title"><${Outputs} plugin=${plugin} readOnly=${readOnly} /><//>`}
    ${summary.tools.length > 0 && html`<${Section} title="Tools" id="tools-title"><${Tools} plugin=${plugin} readOnly=${readOnly} /><//>`}
    ${asking !== undefined && html`<${Confirm} question=${actions[asking].question(plugin, waiting)} yes=${actions[asking].title} done=${(yes) => (yes ? void act(asking) : setAsking(undefined))} />`}
  </main>`;
}
