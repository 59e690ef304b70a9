// Where the events of a service come from: how each source is, and what can be done about it.
import { useState } from 'preact/hooks';
import { at, get, post, wordsOf } from './api.js';
import { html, useLook } from './parts.js';
import { ago, number, time } from './words.js';

const words = {
  open: 'open: events can arrive',
  connecting: 'connecting',
  retrying: 'failed, and is tried again',
  paused: 'paused: nothing is taken from it',
  faulty: 'faulty: somebody has to change something',
};

function Source({ source, readOnly, act }) {
  const { name, type, state, since, counters, lastEventAt, lastError, nextAt, url } = source;
  const facts = [
    `${words[state] ?? state}, since ${time(since)}`,
    lastEventAt === null ? 'no event yet' : `last event ${ago(lastEventAt)}`,
    `${number(counters.accepted)} accepted, ${number(counters.refused)} refused, ${number(counters.duplicates)} repeated, ${number(counters.ignored)} ignored`,
    ...(counters.reconnects > 0 ? [`connected again ${number(counters.reconnects)} times`] : []),
    ...(nextAt ? [`next due ${time(nextAt)}`] : []),
    ...(url === undefined ? [] : [`reached at ${url}`]),
  ];
  const button = (action, title) =>
    html`<button type="button" data-action=${action} aria-label="${title} the source ${name}" onClick=${() => act(name, action, title)}>${title}</button>`;
  return html`<li data-source=${name} data-state=${state}>
    <p><strong>${name}</strong> <span class="quiet">${type}</span> <span class=${state === 'faulty' || state === 'retrying' ? 'bad' : ''}>${facts.join('; ')}.</span></p>
    ${lastError !== null && html`<p class=${state === 'open' ? 'hint' : 'bad'}>Last error, ${ago(lastError.at)} (${lastError.code}): ${lastError.message}</p>`}
    ${!readOnly && html`<div class="buttons">${state === 'paused' ? button('resume', 'Resume') : button('pause', 'Pause')}${type === 'schedule' && button('trigger', 'Let it be due now')}</div>`}
  </li>`;
}

export function Sources({ plugin, readOnly }) {
  const { value, error, again } = useLook(() => get(`/api/sources?plugin=${encodeURIComponent(plugin)}`), 3000, [plugin]);
  const [said, setSaid] = useState('');
  if (value === undefined) return html`<p>${error === undefined ? 'Reading …' : wordsOf(error)}</p>`;
  const act = async (name, action, title) => {
    try {
      await post(`${at('services', plugin, 'sources', name)}/${action}`);
      setSaid(`${title}, ${name}: done.`);
    } catch (thrown) {
      setSaid(`${title}, ${name}: ${wordsOf(thrown)}`);
    }
    again();
  };
  return html`<p role="status">${said}</p>
    <ul class="cards">${value.sources.map((source) => html`<${Source} key=${source.name} source=${source} readOnly=${readOnly} act=${act} />`)}</ul>`;
}
