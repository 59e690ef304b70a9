// The operator's page: which view is shown, what all of them share, and how it goes on when the daemon comes back.
import { render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import 'uplot/dist/uPlot.min.css';
import './console.css';
import { call, get, isAway, wordsOf } from './api.js';
import { Daemon } from './daemon.js';
import { History } from './history.js';
import { Overview } from './overview.js';
import { html } from './parts.js';
import { Plugin } from './plugin.js';

const lookMs = 2000;
const history = new History();
const placeOf = () => decodeURI(location.hash.replace(/^#\/?/, ''));

function usePlace() {
  const [place, setPlace] = useState(placeOf());
  useEffect(() => {
    const changed = () => setPlace(placeOf());
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return place;
}

/** The looks at all plugins, for as long as the page is there. A hidden page asks nothing. */
function useLooks() {
  const [seen, setSeen] = useState({ rows: [], connection: 'connecting' });
  useEffect(() => {
    let timer;
    const look = async () => {
      if (!document.hidden) {
        try {
          const [usage, health] = await Promise.all([get('/api/usage'), get('/api/health')]);
          const rows = history.take(usage);
          setSeen((last) => ({ rows, look: usage, health, connection: 'connected', returned: last.returned || last.connection === 'away' || (last.look !== undefined && last.look.daemon.pid !== usage.daemon.pid) }));
        } catch (error) {
          if (error.status === 401 || error.status === 403) {
            setSeen((last) => ({ ...last, connection: 'signed out' }));
            return;
          }
          setSeen((last) => ({ ...last, connection: isAway(error) || error.code === 'shutting_down' ? 'away' : 'connected', problem: wordsOf(error) }));
        }
      }
      timer = setTimeout(look, lookMs);
    };
    void look();
    return () => clearTimeout(timer);
  }, []);
  return seen;
}

const connectionWords = {
  connecting: 'Connecting …',
  connected: 'Connected',
  away: 'The daemon does not answer; trying again every 2 seconds.',
  'signed out': 'You are not signed in. Run “nagaya console” in a terminal and open the link it prints.',
};

function Console() {
  const place = usePlace();
  const seen = useLooks();
  const [session, setSession] = useState({ readOnly: true });
  const first = useRef(true);
  useEffect(() => {
    get('/session').then(setSession, () => undefined);
  }, [seen.connection]);
  // A reader that cannot see the page is told of another view by its heading.
  useEffect(() => {
    if (!first.current) document.querySelector('#title')?.focus();
    first.current = false;
  }, [place]);
  const plugin = place.startsWith('plugin/') ? place.slice('plugin/'.length) : undefined;
  const signOut = async () => {
    await call('DELETE', '/session').catch(() => undefined);
    location.reload();
  };
  const link = (to, name) => html`<a href="#/${to}" aria-current=${place === to ? 'page' : undefined}>${name}</a>`;
  const isOut = seen.connection === 'signed out';
  return html`
    <header>
      <h1>Nagaya</h1>
      <nav class="places" aria-label="Views">${link('', 'Plugins')} ${link('daemon', 'Daemon')} <a href="/">Workers</a></nav>
      <p id="connection" role="status" data-connection=${seen.connection}>${connectionWords[seen.connection]}${seen.connection === 'connected' && seen.returned ? ' again' : ''}${session.readOnly && !isOut ? ' You may read and not change anything.' : ''}</p>
      ${!isOut && html`<button type="button" onClick=${signOut}>Sign out</button>`}
    </header>
    ${isOut
      ? html`<main class="console"><p>Nothing is shown to who is not signed in.</p></main>`
      : place === 'daemon'
        ? html`<${Daemon} />`
        : plugin === undefined
          ? html`<${Overview} rows=${seen.rows} look=${seen.look} health=${seen.health} history=${history} />`
          : html`<${Plugin} key=${plugin} plugin=${plugin} row=${seen.rows.find((row) => row.plugin === plugin)} history=${history} readOnly=${session.readOnly} />`}
  `;
}

render(html`<${Console} />`, document.querySelector('#console'));
