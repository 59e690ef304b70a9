// The dead letters of one service: looked at one by one, sent again with the same or another payload, or let go, alone
// or many at once.
// The list holds no payloads; one is asked for when a person opens its letter.
import { useState } from 'preact/hooks';
import { at, get, post, wordsOf } from './api.js';
import { Confirm, Pager, html, useLook } from './parts.js';
import { ago, plural, time } from './words.js';

const pageSize = 50;
const reasons = { attempts: 'its attempts are used up', permanent: 'the plugin says that trying again is of no use', payload_invalid: 'the payload does not fit its schema' };

function Letter({ plugin, id, close, replay }) {
  const { value, error } = useLook(async () => (await get(at('services', plugin, 'dead-letters', id))).deadLetter, 0, [plugin, id]);
  const [text, setText] = useState();
  const [fault, setFault] = useState();
  if (value === undefined) return html`<p>${error === undefined ? 'Reading …' : wordsOf(error)}</p>`;
  const original = JSON.stringify(value.event.payload ?? null, null, 2);
  const send = () => {
    try {
      const edited = text === undefined || text === original ? {} : { payload: JSON.parse(text) };
      setFault(undefined);
      void replay([id], edited);
    } catch (thrown) {
      setFault(`This is not JSON: ${thrown.message}`);
    }
  };
  return html`<section class="letter" aria-label="Dead letter ${id}">
    <p>${value.ingress} / ${value.kind} from ${value.source}; dead since ${time(value.deadAt)}: ${reasons[value.reason ?? 'attempts']}.</p>
    <ol>${value.attempts.map(({ attempt, at: when, error: how }) => html`<li key=${attempt}>Attempt ${attempt}, ${time(when)}: ${how.message}${how.where === undefined ? '' : ` (${how.where})`}</li>`)}</ol>
    <label>Payload, as the sender wrote it; it may be private
      <textarea id="payload" rows="8" spellcheck="false" onInput=${({ target }) => setText(target.value)}>${original}</textarea>
    </label>
    ${fault !== undefined && html`<p role="alert" class="bad">${fault}</p>`}
    <div class="buttons"><button type="button" id="send-letter" onClick=${send}>Send it again</button><button type="button" onClick=${close}>Close</button></div>
  </section>`;
}

export function DeadLetters({ plugin, readOnly, changed }) {
  // What stands before each page: the list goes on after the last one that was seen.
  const [starts, setStarts] = useState([undefined]);
  const [page, setPage] = useState(0);
  const [chosen, setChosen] = useState(new Set());
  const [opened, setOpened] = useState();
  const [asking, setAsking] = useState();
  const [said, setSaid] = useState('');
  const after = starts[page];
  const { value, error, again } = useLook(
    () => get(`${at('services', plugin, 'dead-letters')}?limit=${pageSize}${after === undefined ? '' : `&after=${encodeURIComponent(after)}`}`),
    3000,
    [plugin, after],
  );
  if (error?.code === 'dead_letter_not_found' && page > 0) {
    setStarts([undefined]);
    setPage(0);
  }
  if (value === undefined) return html`<p>${error === undefined ? 'Reading …' : wordsOf(error)}</p>`;
  const letters = value.deadLetters;
  const pages = Math.max(1, Math.ceil(value.total / pageSize));
  const turn = (next) => {
    if (next > page) setStarts([...starts.slice(0, page + 1), letters.at(-1)?.id]);
    setPage(next);
    setChosen(new Set());
    setOpened(undefined);
  };
  const act = async (run) => {
    try {
      setSaid(await run());
    } catch (thrown) {
      setSaid(wordsOf(thrown));
    }
    setChosen(new Set());
    setOpened(undefined);
    again();
    changed();
  };
  const replay = (ids, edited = {}) =>
    act(async () => {
      const { results } = await post(`${at('services', plugin, 'dead-letters')}/replay`, { ...(ids === undefined ? {} : { ids }), ...edited });
      const refused = results.filter(({ accepted }) => !accepted);
      return `${plural(results.length - refused.length, 'event was', 'events were')} accepted again${refused.length === 0 ? '' : `; ${refused.length} refused: ${refused[0].error.message}`}`;
    });
  const discard = (ids) =>
    act(async () => `${plural((await post(`${at('services', plugin, 'dead-letters')}/discard`, ids === undefined ? {} : { ids })).discarded, 'dead letter is', 'dead letters are')} gone`);
  const ids = [...chosen];
  const toggle = (id) => setChosen(new Set(chosen.has(id) ? ids.filter((each) => each !== id) : [...ids, id]));
  const all = letters.length > 0 && letters.every(({ id }) => chosen.has(id));
  return html`<div id="dead-letters">
    <p role="status">${said}</p>
    ${letters.length === 0
      ? html`<p>There are none.</p>`
      : html`<p>${plural(value.total, 'dead letter')}${value.evicted > 0 ? `; ${value.evicted} older ones had to make room` : ''}.</p>
        ${!readOnly && html`<div class="buttons">
          <button type="button" disabled=${ids.length === 0} onClick=${() => replay(ids)}>Send ${ids.length} again</button>
          <button type="button" class="danger" disabled=${ids.length === 0} onClick=${() => setAsking({ ids })}>Discard ${ids.length}</button>
          <button type="button" id="replay-all" onClick=${() => replay(undefined)}>Send all again</button>
          <button type="button" class="danger" id="discard-all" onClick=${() => setAsking({})}>Discard all</button>
        </div>`}
        <div class="scroll" tabindex="0" role="region" aria-label="Dead letters"><table>
          <thead><tr>
            ${!readOnly && html`<th scope="col"><input type="checkbox" aria-label="Choose all of this page" checked=${all} onChange=${() => setChosen(new Set(all ? [] : letters.map(({ id }) => id)))} /></th>`}
            <th scope="col">Event</th><th scope="col">Why</th><th scope="col">Last error</th><th scope="col">When</th>
          </tr></thead>
          <tbody>${letters.map((letter) => html`<tr key=${letter.id} data-letter=${letter.id}>
            ${!readOnly && html`<td><input type="checkbox" aria-label="Choose ${letter.correlationId}" checked=${chosen.has(letter.id)} onChange=${() => toggle(letter.id)} /></td>`}
            <th scope="row"><button type="button" class="plain link" onClick=${() => setOpened(opened === letter.id ? undefined : letter.id)}>${letter.ingress} / ${letter.kind}</button> <small>${letter.correlationId}${letter.replaying === null ? '' : ', is being tried again'}</small></th>
            <td>${reasons[letter.reason ?? 'attempts']}</td>
            <td>${letter.attempts.at(-1)?.error.message ?? ''}</td>
            <td>${ago(letter.deadAt)}</td>
          </tr>`)}</tbody>
        </table></div>
        <${Pager} page=${page} pages=${pages} choose=${turn} what="dead letters" />`}
    ${opened !== undefined && html`<${Letter} key=${opened} plugin=${plugin} id=${opened} replay=${replay} close=${() => setOpened(undefined)} />`}
    ${asking !== undefined && html`<${Confirm}
      question=${`Discard ${asking.ids === undefined ? `all ${value.total}` : asking.ids.length} for good? Their events and payloads are lost.`}
      yes="Discard"
      done=${(yes) => { setAsking(undefined); if (yes) void discard(asking.ids); }}
    />`}
  </div>`;
}
