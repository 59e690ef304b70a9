// Where the commands of a service go: what waits, what could not be delivered, and what can be done about it. Bodies
// are asked for when a person opens an output.
import { useState } from 'preact/hooks';
import { at, get, post, wordsOf } from './api.js';
import { Confirm, html, useLook } from './parts.js';
import { ago, number, plural, time } from './words.js';

const reasons = { refused: 'was refused for good', expired: 'was not delivered in time' };

function Command({ command, note, readOnly, act }) {
  const { id, key, path, topic, createdAt, attempts, body } = command;
  const where = [key === null ? '' : `key ${key}`, path ?? '', topic ?? ''].filter((word) => word !== '').join(', ');
  return html`<li data-command=${id}>
    <p><code>${id}</code> of ${time(createdAt)}${where === '' ? '' : `, ${where}`}: ${plural(attempts, 'attempt')}${note}</p>
    <pre tabindex="0" aria-label="Body of ${id}">${JSON.stringify(body, null, 2)}</pre>
    ${!readOnly && html`<div class="buttons"><button type="button" onClick=${() => act('retry', [id])}>Send it again</button><button type="button" class="danger" onClick=${() => act('discard', [id])}>Discard</button></div>`}
  </li>`;
}

function Commands({ plugin, output, readOnly, act }) {
  const { value, error } = useLook(() => get(at('outputs', plugin, output)), 3000, [plugin, output]);
  if (value === undefined) return html`<p>${error === undefined ? 'Reading …' : wordsOf(error)}</p>`;
  const failed = (fault) => (fault === null || fault === undefined ? '' : `; ${fault.message}`);
  const shown = value.pending.length + value.deadLetters.length;
  if (shown === 0) return html`<p>Nothing waits.</p>`;
  return html`<p class="hint">Bodies are shown as the plugin sent them; they may be private.</p>
    <ul>
      ${value.deadLetters.map((command) => html`<${Command} key=${command.id} command=${command} note=${`; it ${reasons[command.reason]} ${ago(command.deadAt)}${failed(command.error)}`} readOnly=${readOnly} act=${act} />`)}
      ${value.pending.map((command) => html`<${Command} key=${command.id} command=${command} note=${`${command.nextAt === null ? '' : `; next ${time(command.nextAt)}`}${failed(command.error)}`} readOnly=${readOnly} act=${act} />`)}
    </ul>
    ${value.output.pending + value.output.deadLetters > shown && html`<p class="hint">The oldest ${shown} are shown.</p>`}`;
}

function Output({ plugin, output, readOnly, changed }) {
  const { name, type, state, pending, sent, failed, deadLetters, lastError } = output;
  const [isOpen, setOpen] = useState(false);
  const [asking, setAsking] = useState();
  const [said, setSaid] = useState('');
  const act = async (action, ids) => {
    try {
      const done = await post(`${at('outputs', plugin, name)}/${action}`, ids === undefined ? {} : { ids });
      setSaid(action === 'retry' ? `${plural(done.retried, 'command is', 'commands are')} sent again.` : `${plural(done.discarded, 'command is', 'commands are')} gone.`);
    } catch (thrown) {
      setSaid(wordsOf(thrown));
    }
    changed();
  };
  const ask = (action, ids) => (action === 'retry' ? void act(action, ids) : setAsking({ ids }));
  return html`<li data-output=${name} data-state=${state}>
    <p><strong>${name}</strong> <span class="quiet">${type}</span> <span class=${state === 'open' ? '' : 'bad'}>${state}</span>: ${number(pending)} waiting, ${number(sent)} delivered, ${number(failed)} failed attempts, ${plural(deadLetters, 'dead letter')}.</p>
    ${lastError !== null && html`<p class=${state === 'open' ? 'hint' : 'bad'}>Last error, ${ago(lastError.at)} (${lastError.code}): ${lastError.message}</p>`}
    <p role="status">${said}</p>
    <div class="buttons">
      <button type="button" data-action="open" aria-expanded=${isOpen ? 'true' : 'false'} aria-label="${isOpen ? 'Hide' : 'Show'} the commands of ${name}" onClick=${() => setOpen(!isOpen)}>${isOpen ? 'Hide' : 'Show'} its commands</button>
      ${!readOnly && html`<button type="button" data-action="retry" disabled=${pending + deadLetters === 0} onClick=${() => ask('retry')}>Send all again</button>
      <button type="button" class="danger" data-action="discard" disabled=${deadLetters === 0} onClick=${() => ask('discard')}>Discard all dead letters</button>`}
    </div>
    ${isOpen && html`<${Commands} plugin=${plugin} output=${name} readOnly=${readOnly} act=${ask} />`}
    ${asking !== undefined && html`<${Confirm}
      question=${asking.ids === undefined ? `Discard all ${deadLetters} dead letters of ${name} for good? What they were to deliver is lost.` : 'Discard this command for good? What it was to deliver is lost.'}
      yes="Discard"
      done=${(yes) => { setAsking(undefined); if (yes) void act('discard', asking.ids); }}
    />`}
  </li>`;
}

export function Outputs({ plugin, readOnly }) {
  const { value, error, again } = useLook(() => get(`/api/outputs?plugin=${encodeURIComponent(plugin)}`), 3000, [plugin]);
  if (value === undefined) return html`<p>${error === undefined ? 'Reading …' : wordsOf(error)}</p>`;
  return html`<ul class="cards">${value.outputs.map((output) => html`<${Output} key=${output.name} plugin=${plugin} output=${output} readOnly=${readOnly} changed=${again} />`)}</ul>`;
}
