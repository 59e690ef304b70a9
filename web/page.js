// The page: it lists runtimes and workers, creates one, gives it inputs and shows what comes back as it comes. What is
// shown is set as text and never as markup, and everything it knows it has from the operations.

const byId = (id) => document.getElementById(id);
const at = (...segments) => `/api/${segments.map(encodeURIComponent).join('/')}`;

/** What is shown at the moment. */
const shown = {
  readOnly: false,
  runtimes: [],
  runtime: undefined,
  worker: undefined,
  can: {},
  /** The kinds of input that the worker takes; unknown until it was looked at. */
  kinds: [],
  /** The eventId of the input that ran when the worker was last looked at, until that input ends. */
  running: undefined,
  stream: undefined,
  after: undefined,
  /** The newest lines of the transcript stay in view. */
  follows: true,
  scrollTop: 0,
};

const lookEveryMs = 2000;

class Problem extends Error {
  constructor(status, { code = 'unknown', detail = 'The daemon gave no reason.', details = {} } = {}) {
    super(`${detail} (${code})`);
    this.status = status;
    this.retryAfterMs = details.retryAfterMs;
  }
}

async function call(method, path, body) {
  const answer = await fetch(path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }) });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, told);
  return told;
}

function showProblem(error) {
  const place = byId('problem');
  const retry = error.retryAfterMs === undefined ? '' : ` Try again in ${Math.ceil(error.retryAfterMs / 1000)} s.`;
  place.textContent = error instanceof TypeError ? 'The daemon does not answer.' : `${error.message}${retry}`;
  place.hidden = false;
  if (error.status === 401) showSignedOut();
}

/** Runs what a person asked for; a refusal is shown and the page stays as it is. */
const asked = (run) => async (event) => {
  event?.preventDefault?.();
  byId('problem').hidden = true;
  try {
    await run(event);
  } catch (error) {
    showProblem(error);
  }
};

function showSignedOut() {
  closeStream();
  byId('house').hidden = true;
  byId('sign-out').hidden = true;
  byId('access').textContent = 'You are not signed in. Run “nagaya open” in a terminal and open the link it prints.';
}

function choice(id, title, notes, current, choose) {
  const item = document.createElement('li');
  item.dataset.id = id;
  const button = document.createElement('button');
  button.type = 'button';
  button.setAttribute('aria-current', String(current));
  button.append(title);
  for (const note of notes) {
    const line = document.createElement('small');
    line.textContent = note;
    button.append(line);
  }
  button.addEventListener('click', asked(choose));
  item.append(button);
  return item;
}

async function showRuntimes() {
  shown.runtimes = (await call('GET', at('runtimes'))).runtimes;
  shown.runtime = shown.runtimes.find(({ runtimeId }) => runtimeId === shown.runtime?.runtimeId) ?? shown.runtimes[0];
  const items = shown.runtimes.map((runtime) => {
    const { total, busy } = runtime.workers;
    const notes = [`${runtime.runtimeId}, ${runtime.kind}, ${runtime.status}`, `${total} ${total === 1 ? 'worker' : 'workers'}, ${busy} busy`];
    return choice(runtime.runtimeId, runtime.displayName, notes, runtime === shown.runtime, () => chooseRuntime(runtime));
  });
  byId('runtimes').replaceChildren(...items);
}

async function chooseRuntime(runtime) {
  shown.runtime = runtime;
  await refresh();
}

async function refresh() {
  await showRuntimes();
  await showWorkers();
  await showProfiles();
}

async function showWorkers(after) {
  if (shown.runtime === undefined) return;
  const query = after === undefined ? '' : `?after=${encodeURIComponent(after)}`;
  const page = await call('GET', `${at('runtimes', shown.runtime.runtimeId, 'workers')}${query}`);
  const items = page.workers.map((worker) =>
    choice(worker.workerId, worker.displayName, [worker.state, worker.profile ?? worker.intent], worker.workerId === shown.worker?.workerId, () => openWorker(worker)));
  if (after === undefined) byId('workers').replaceChildren(...items);
  else byId('workers').append(...items);
  shown.after = page.next ?? undefined;
  byId('more-workers').hidden = shown.after === undefined;
  byId('no-workers').hidden = byId('workers').childElementCount > 0;
}

async function showProfiles() {
  const creates = shown.runtime?.capabilities.canCreateWorker === true && !shown.readOnly;
  byId('create').hidden = !creates;
  if (!creates) return;
  const { profiles } = await call('GET', at('runtimes', shown.runtime.runtimeId));
  const place = byId('create').elements.profile;
  place.replaceChildren(new Option('the usual one', ''), ...profiles.map(({ name, description }) => new Option(description === '' ? name : `${name}: ${description}`, name)));
}

const createWorker = asked(async ({ target: form }) => {
  const given = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ''));
  const worker = await call('POST', at('runtimes', shown.runtime.runtimeId, 'workers'), { ...given, requestKey: crypto.randomUUID() });
  form.reset();
  openWorker(worker);
  await refresh();
  byId('content').focus();
});

const pathOf = ({ runtimeId, workerId }, ...more) => at('runtimes', runtimeId, 'workers', workerId, ...more);

function openWorker(worker) {
  closeStream();
  shown.worker = worker;
  shown.can = shown.runtimes.find(({ runtimeId }) => runtimeId === worker.runtimeId)?.capabilities ?? {};
  shown.kinds = [];
  shown.running = undefined;
  shown.follows = true;
  byId('transcript').hidden = !shown.can.canStreamEvents;
  byId('worker').hidden = false;
  byId('worker-title').textContent = worker.displayName;
  byId('worker-note').textContent = worker.intent;
  clearTranscript();
  showWorker(worker);
  for (const item of byId('workers').children) item.firstElementChild.setAttribute('aria-current', String(item.dataset.id === worker.workerId));
  if (shown.can.canStreamEvents) follow(worker);
  else watch();
}

function closeStream() {
  shown.stream?.close();
  shown.stream = undefined;
}

/** Where nothing is streamed, the worker is looked at now and then. */
function watch() {
  const look = () => lookAgain().catch(showProblem);
  const timer = setInterval(look, lookEveryMs);
  void look();
  shown.stream = { close: () => clearInterval(timer) };
}

/** The browser itself comes back after a cut, and says with what it has seen; the host goes on behind it. */
function follow(worker) {
  const stream = new EventSource(pathOf(worker, 'events'));
  shown.stream = stream;
  const takes = {
    snapshot: ({ worker: now, items }) => {
      const { scrollTop } = shown;
      clearTranscript();
      for (const item of items) showItem(item);
      if (!shown.follows) byId('transcript').scrollTop = scrollTop;
      showWorker(now);
    },
    item: ({ item }) => showItem(item),
    output: showOutput,
    end: ({ sequence, status }) => showEnd(itemAt(sequence), status),
    state: ({ state }) => showState(state),
    diagnostic: () => undefined,
  };
  for (const [type, take] of Object.entries(takes)) stream.addEventListener(type, ({ data }) => take(JSON.parse(data)));
  stream.addEventListener('open', () => (byId('access').textContent = accessText()));
  stream.addEventListener('error', async () => {
    if (shown.stream !== stream) return;
    if (stream.readyState !== EventSource.CLOSED) {
      byId('access').textContent = 'The connection was lost; trying again.';
      return;
    }
    // An EventSource does not tell why it was refused: asking for the worker does.
    await call('GET', pathOf(worker)).catch(showProblem);
  });
}

function clearTranscript() {
  byId('transcript').replaceChildren();
  shown.scrollTop = 0;
}

const itemAt = (sequence) => byId('transcript').querySelector(`li[data-sequence="${Number(sequence)}"]`);

const names = { user: 'You', system: 'System', worker: 'Worker', host: 'Host' };

/** An event may come more than once: an item has one place. */
function showItem({ sequence, role, content, eventId, createdAt, status, truncated }) {
  const item = document.createElement('li');
  item.dataset.sequence = String(sequence);
  item.dataset.role = role;
  item.dataset.event = eventId;
  const who = document.createElement('span');
  who.className = 'who';
  who.textContent = `${names[role] ?? role}, ${new Date(createdAt).toLocaleTimeString()}${truncated === true ? ', cut short' : ''}`;
  const said = document.createElement('p');
  said.className = 'content';
  said.textContent = content;
  item.append(who, said);
  const present = itemAt(sequence);
  if (present === null) byId('transcript').append(item);
  else present.replaceWith(item);
  showEnd(item, status);
  showNewest();
}

/** What ends an input: a `partial` answer is followed by the host's word on it. */
const ends = ['done', 'failed', 'cancelled'];

function showEnd(item, status) {
  if (item === null || status === undefined) return;
  item.dataset.status = status;
  if (ends.includes(status) && item.dataset.event === shown.running) shown.running = undefined;
}

/** The eventId of the oldest input that has not ended. */
function runningInput() {
  if (shown.running !== undefined) return shown.running;
  const items = [...byId('transcript').children].map(({ dataset }) => dataset);
  const ended = new Set(items.filter(({ status }) => ends.includes(status)).map(({ event }) => event));
  return items.find(({ role, event }) => (role === 'user' || role === 'system') && !ended.has(event))?.event;
}

/** How far from its end, in pixels, a transcript still counts as read to the end. */
const endSlack = 40;

/** Only a reader scrolls up; the page itself only scrolls to the end, which may have moved on before it is told. */
function noteScroll() {
  const list = byId('transcript');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < endSlack;
  shown.follows = atEnd || (shown.follows && list.scrollTop >= shown.scrollTop);
  shown.scrollTop = list.scrollTop;
}

function showNewest() {
  const list = byId('transcript');
  // The event that tells of the reader's scrolling may still be on its way.
  if (list.scrollTop < shown.scrollTop) noteScroll();
  if (!shown.follows) return;
  list.scrollTop = list.scrollHeight;
  shown.scrollTop = list.scrollTop;
}

function showOutput({ sequence, offset, text }) {
  const said = itemAt(sequence)?.querySelector('.content');
  if (said === null || said === undefined) return;
  // By its place, so that a piece that comes twice stands there once.
  said.textContent = said.textContent.slice(0, offset) + text;
  showNewest();
}

/** A summary of a list does not say what inputs the worker takes; the first look at the worker itself does. */
function showWorker({ state, capabilities, inputs }) {
  if (inputs !== undefined) {
    shown.kinds = capabilities.canSendInput ? inputs.kinds : [];
    shown.running = inputs.running ?? undefined;
  }
  showState(state);
}

function showState(state) {
  const { workerId } = shown.worker;
  byId('worker-state').textContent = state;
  const listed = [...byId('workers').children].find(({ dataset }) => dataset.id === workerId);
  listed?.querySelector('small')?.replaceChildren(state);
  byId('cancel').disabled = shown.readOnly || !shown.can.canCancelWorker || state !== 'busy';
  byId('stop').disabled = shown.readOnly || !shown.can.canStopWorker || state === 'stopped';
  byId('input').hidden = shown.readOnly || state === 'stopped' || !shown.kinds.includes('user');
}

const sendInput = asked(async () => {
  const field = byId('content');
  const content = field.value;
  if (content.trim() === '') return;
  await call('POST', pathOf(shown.worker, 'input'), { content, inputId: crypto.randomUUID() });
  field.value = '';
  // One's own input is shown wherever one was reading.
  shown.follows = true;
  showNewest();
  await lookAgain();
});

async function lookAgain() {
  const { worker } = shown;
  if (shown.can.canStreamEvents) return;
  const now = await call('GET', pathOf(worker));
  if (shown.worker === worker) showWorker(now);
}

/** The input is named, and the second half of a double click is not heard: by then the next input may run. */
const cancelInput = asked(async ({ detail }) => {
  const eventId = runningInput();
  if (detail > 1 || eventId === undefined) return;
  await call('POST', pathOf(shown.worker, 'cancel'), { eventId });
});

function askToStop() {
  const { displayName, runtimeId } = shown.worker;
  const { kind } = shown.runtimes.find((runtime) => runtime.runtimeId === runtimeId) ?? {};
  const after = kind === 'embedded' ? 'It takes no more inputs after that.' : 'It can be started again with “nagaya start”.';
  byId('stop-question').textContent = `Stop ${displayName}? What runs is ended. ${after}`;
  byId('stop-dialog').showModal();
}

const stopWorker = asked(async () => {
  byId('stop-dialog').close();
  await call('POST', pathOf(shown.worker, 'stop'), {});
  await lookAgain();
});

const accessText = () => (shown.readOnly ? 'You may read and not change anything.' : '');

byId('create').addEventListener('submit', createWorker);
byId('input').addEventListener('submit', sendInput);
byId('content').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) void sendInput(event);
});
byId('transcript').addEventListener('scroll', noteScroll);
byId('cancel').addEventListener('click', cancelInput);
byId('stop').addEventListener('click', askToStop);
byId('stop-no').addEventListener('click', () => byId('stop-dialog').close());
byId('stop-yes').addEventListener('click', stopWorker);
byId('more-workers').addEventListener('click', asked(() => showWorkers(shown.after)));
byId('sign-out').addEventListener('click', asked(async () => {
  await call('DELETE', '/session');
  showSignedOut();
}));

await asked(async () => {
  const { readOnly } = await call('GET', '/session');
  shown.readOnly = readOnly;
  byId('access').textContent = accessText();
  byId('sign-out').hidden = false;
  byId('house').hidden = false;
  await refresh();
})();
