// A real Chromium without a window, driven over its DevTools protocol through two pipes: no port, no library. One test
// has one browser with a profile of its own, and both are gone after it.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

const commands = ['chromium', 'chromium-browser', 'google-chrome'];
const commandMs = 30_000;
const conditionMs = 30_000;
const closeMs = 5000;

/** Undefined where none is installed. */
export const chromiumCommand = commands.find(
  (name) => spawnSync(name, ['--version'], { stdio: 'ignore', timeout: commandMs }).status === 0,
);

/** For `test(…, { skip })`: the reason, or false. */
export const withoutChromium =
  chromiumCommand === undefined ? "there is no Chromium here: install Debian's package chromium" : false;

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly sessionId?: string;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

interface Pending {
  resolve(result: Record<string, unknown>): void;
  reject(error: Error): void;
}

export class Chromium {
  readonly #toBrowser: Writable;
  readonly #pending = new Map<number, Pending>();
  readonly #told: Answer[] = [];
  #text = '';
  #nextId = 1;
  #stderr = '';

  private constructor(child: ChildProcess) {
    // As `stdio` below says.
    this.#toBrowser = child.stdio[3] as Writable;
    const fromBrowser = child.stdio[4] as Readable;
    this.#toBrowser.on('error', () => undefined); // the exit says more
    fromBrowser
      .setEncoding('utf8')
      .on('data', (text: string) => this.#read(text))
      .on('error', () => undefined);
    child.stderr
      ?.setEncoding('utf8')
      .on('data', (text: string) => (this.#stderr = (this.#stderr + text).slice(-10_000)));
    child.once('exit', () => this.#fail('the browser has ended'));
  }

  static async start(t: TestContext): Promise<Chromium> {
    const profile = await mkdtemp(join(tmpdir(), 'nagaya-chromium-'));
    const flags = [
      '--headless=new',
      '--remote-debugging-pipe',
      `--user-data-dir=${profile}`,
      '--no-first-run',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--disable-component-update',
    ];
    const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    // A process group of its own, so that its children can be ended with it.
    const child = spawn(chromiumCommand ?? 'chromium', [...flags, ...asRoot, 'about:blank'], {
      detached: true,
      env: { ...process.env, HOME: profile },
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    });
    const gone = new Promise((resolve) => child.once('close', resolve));
    t.after(async () => {
      endGroup(child);
      await Promise.race([gone, pause(closeMs, undefined, { ref: false })]);
      await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    });
    return new Chromium(child);
  }

  async open(url: string): Promise<Tab> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const tab = new Tab(this, String(sessionId));
    await tab.send('Page.enable');
    await tab.send('Runtime.enable');
    await tab.send('Log.enable');
    await tab.send('Page.navigate', { url });
    return tab;
  }

  send(method: string, params: Record<string, unknown> = {}, sessionId?: string): Promise<Record<string, unknown>> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${method} was not answered within ${String(commandMs)} ms\n${this.#stderr}`)),
        commandMs,
      );
      const settled = (): void => {
        clearTimeout(timer);
        this.#pending.delete(id);
      };
      this.#pending.set(id, {
        resolve: (result) => (settled(), resolve(result)),
        reject: (error) => (settled(), reject(error)),
      });
      this.#toBrowser.write(
        `${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`,
      );
    });
  }

  /** What the browser told of a tab by itself. */
  told(sessionId: string, method: string): Record<string, unknown>[] {
    return this.#told
      .filter((each) => each.sessionId === sessionId && each.method === method)
      .map(({ params }) => params ?? {});
  }

  #read(text: string): void {
    this.#text += text;
    const messages = this.#text.split('\0');
    this.#text = messages.pop() ?? '';
    for (const message of messages) this.#take(JSON.parse(message) as Answer);
  }

  #take(answer: Answer): void {
    if (answer.id === undefined) {
      this.#told.push(answer);
      return;
    }
    const pending = this.#pending.get(answer.id);
    if (answer.error === undefined) pending?.resolve(answer.result ?? {});
    else pending?.reject(new Error(answer.error.message));
  }

  #fail(why: string): void {
    for (const { reject } of [...this.#pending.values()]) reject(new Error(`${why}\n${this.#stderr}`));
  }
}

export class Tab {
  readonly #browser: Chromium;
  readonly sessionId: string;

  constructor(browser: Chromium, sessionId: string) {
    this.#browser = browser;
    this.sessionId = sessionId;
  }

  send(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    return this.#browser.send(method, params, this.sessionId);
  }

  /** The value of an expression in the page, as JSON has it. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { value?: unknown }).value;
  }

  async until(what: string, expression: string): Promise<void> {
    const deadline = performance.now() + conditionMs;
    for (;;) {
      // While a page loads there may be nothing to ask.
      const found = await this.evaluate(expression).catch((error: Error) => error.message);
      if (found === true) return;
      if (performance.now() > deadline)
        throw new Error(
          `not within ${String(conditionMs)} ms: ${what} (${String(found)}); the page says:\n${String(await this.evaluate('document.body.innerText'))}\n${this.complaints().join('\n')}`,
        );
      await pause(50);
    }
  }

  /** As a person types: into what has the focus. */
  async type(text: string): Promise<void> {
    await this.send('Input.insertText', { text });
  }

  async press(key: 'Enter' | 'Tab'): Promise<void> {
    const code = key === 'Enter' ? 13 : 9;
    const press = { key, code: key, windowsVirtualKeyCode: code, ...(key === 'Enter' ? { text: '\r' } : {}) };
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', ...press });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', key, code: key, windowsVirtualKeyCode: code });
  }

  /** Waits until the element is there. Twice within a moment is a double click. */
  /** The page may move while it is clicked: what would hit something else is kept from it, and is tried again. */
  async click(selector: string, times = 1): Promise<void> {
    const quoted = JSON.stringify(selector);
    const endMs = performance.now() + conditionMs;
    for (;;) {
      await this.until(`there is ${selector} to click`, `document.querySelector(${quoted}) !== null`);
      const [x, y] = (await this.evaluate(`(${aim})(${quoted})`)) as [number, number];
      for (let clickCount = 1; clickCount <= times; clickCount += 1) {
        for (const type of ['mousePressed', 'mouseReleased'])
          await this.send('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount });
      }
      // A page that was left has been clicked.
      if ((await this.evaluate('window.endAim?.() ?? true')) === true) return;
      if (performance.now() > endMs)
        throw new Error(`${selector} could not be clicked: it moves, or lies under another`);
    }
  }

  /** What the page threw, and what the browser refused to do for it. */
  complaints(): string[] {
    const thrown = this.#browser.told(this.sessionId, 'Runtime.exceptionThrown');
    const refused = this.#browser
      .told(this.sessionId, 'Log.entryAdded')
      .filter(({ entry }) => (entry as { level?: string }).level === 'error');
    return [...thrown, ...refused].map((each) => JSON.stringify(each));
  }
}

/** Runs in the page. Returns where the element is; `endAim` then says whether it was hit. */
const aim = `(selector) => {
  const element = document.querySelector(selector);
  if (element === null) return [0, 0];
  element.scrollIntoView({ block: 'center' });
  let hit = false;
  const kinds = ['pointerdown', 'pointerup', 'mousedown', 'mouseup', 'click', 'dblclick'];
  const listen = (event) => {
    const target = document.querySelector(selector);
    if (target !== null && target.contains(event.target)) hit ||= event.type === 'click';
    else {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  };
  for (const kind of kinds) window.addEventListener(kind, listen, true);
  window.endAim = () => {
    for (const kind of kinds) window.removeEventListener(kind, listen, true);
    return hit;
  };
  const { x, y, width, height } = element.getBoundingClientRect();
  return [x + width / 2, y + height / 2];
}`;

function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Ended already.
  }
}
