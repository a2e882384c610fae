import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { areas, differences } from './web/cases.ts';
import { bundle, Guest, inNode } from './web/guest.ts';
import { hangs, serve } from './web/server.ts';

const code = await bundle();
const { base, closed, stop } = await serve();
after(stop);

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A guest for the tests of one `describe`. */
function withGuest(): () => Guest {
  let guest: Guest;
  before(() => {
    guest = new Guest(code);
  });
  after(() => guest.dispose());
  return () => guest;
}

for (const [area, cases] of Object.entries(areas)) {
  describe(`${area} in an isolate`, () => {
    const guest = withGuest();
    for (const source of cases) {
      it(`answers as node does: ${source}`, async () => {
        const run = source.replaceAll('BASE', base).replaceAll('CLOSED', closed);
        assert.equal(await guest().run(run), await inNode(run));
      });
    }
  });
}

describe('an isolate differs from node on purpose', () => {
  const guest = withGuest();
  for (const { source, answer, reason } of differences) {
    it(`${reason}: ${source}`, async () => {
      assert.equal(await guest().run(source), answer);
    });
  }
});

describe('web globals', () => {
  it('are evaluated when a program first names them, and cost no call of the host before', () => {
    const guest = new Guest(code);
    const isGetter = `'get' in Object.getOwnPropertyDescriptor(globalThis, 'URL')`;
    assert.equal(guest.evaluate(isGetter), true);
    assert.deepEqual(guest.calls, {});
    guest.evaluate('typeof URL');
    assert.equal(guest.evaluate(isGetter), false);
    assert.equal(guest.evaluate(`'get' in Object.getOwnPropertyDescriptor(globalThis, 'fetch')`), true);
    guest.dispose();
  });

  const assignments = {
    'globalThis.URL = 1; URL': 1,
    'fetch = 2; fetch': 2,
    'var crypto = 3; crypto': 3,
    'function atob() { return 4 } atob()': 4,
    'const Headers = 5; Headers': 5,
    'class Response { static n = 6 } Response.n': 6,
    '"use strict"; performance = 7; globalThis.performance': 7,
    'delete globalThis.btoa; typeof btoa': 'undefined',
    'Event; Event = 8; Event': 8,
  };
  for (const [source, value] of Object.entries(assignments)) {
    it(`may be replaced: ${source}`, () => {
      const guest = new Guest(code);
      assert.equal(guest.evaluate(source), value);
      guest.dispose();
    });
  }

  it('share their classes: an object made by one is of the class of another', async () => {
    const guest = new Guest(code);
    const source = `[(await fetch('${base}/echo')) instanceof Response, new Response().headers instanceof Headers,
      new URL('http://a').searchParams instanceof URLSearchParams, new AbortController().signal instanceof AbortSignal]`;
    assert.equal(await guest.run(source), '[ true, true, true, true ]');
    guest.dispose();
  });
});

describe('a listener that throws', () => {
  it('ends the program as an uncaught exception, after the other listeners and the dispatching code', async () => {
    const guest = new Guest(code);
    const source = `const t = new EventTarget(), log = [];
      t.addEventListener('a', () => { throw new Error('from a listener'); });
      t.addEventListener('a', () => log.push('second'));
      log.push(t.dispatchEvent(new Event('a')));
      return log;`;
    assert.equal(await guest.run(source), "[ 'second', true ]");
    assert.match(guest.stderr.join(''), /Error: from a listener/);
    assert.deepEqual(guest.exits, [1]);
    guest.dispose();
  });
});

describe('fetch from an isolate', () => {
  it('closes the connection when it is aborted', async () => {
    const guest = new Guest(code);
    const [opened, given] = [hangs.open, hangs.closed];
    const answer = guest.run(`globalThis.c = new AbortController(); return fetch('${base}/hang', { signal: c.signal });`);
    while (hangs.open === opened) await turn();
    guest.evaluate(`c.abort('x')`);
    assert.equal(await answer, "threw 'x'");
    while (hangs.closed === given) await turn();
    guest.dispose();
  });

  it('refuses to hold more than 100 MB, and says so when the body is read', async () => {
    const guest = new Guest(code);
    const answer = await guest.run(
      `const r = await fetch('${base}/endless'); return [r.status, await r.text().catch((e) => e.message)];`,
    );
    assert.match(answer, /200,\s+'The response of http:\S+ is larger than 100 MB, .* --runtime node'/s);
    guest.dispose();
  });

  it('shows nothing of the host in its errors', async () => {
    const guest = new Guest(code);
    const shown = await guest.run(`fetch('${closed}/').catch((e) => e)`);
    assert.match(shown, /TypeError: fetch failed\n +at <isolated-vm>/);
    assert.match(shown, /\[cause\]: Error: connect ECONNREFUSED/);
    assert.doesNotMatch(shown, /node:|file:|\//);
    guest.dispose();
  });

  it('drops an answer that comes after the abort', async () => {
    const guest = new Guest(code);
    const source = `const c = new AbortController(); const p = fetch('${base}/echo', { signal: c.signal }); c.abort('early'); const one = await p.catch((e) => e);
      return [one, (await fetch('${base}/echo')).status];`;
    assert.equal(await guest.run(source), "[ 'early', 200 ]");
    guest.dispose();
  });
});

describe('a value too deep to clone', () => {
  it('is a RangeError that names no file of the host', async () => {
    const guest = new Guest(code);
    const source = `let deep = {}; for (let i = 0; i < 3000; i++) deep = { deep }; try { structuredClone(deep); } catch (e) { return [e.name, e.stack]; }`;
    const answer = await guest.run(source);
    assert.match(answer, /RangeError/);
    assert.doesNotMatch(answer, /file:|node:|boundary/);
    guest.dispose();
  });
});

describe('a signal that lives long', () => {
  // Weakly held objects go between two turns of the event loop, once the heap has been collected.
  const churn = `for (let i = 0, junk; i < 30; i++) { await new Promise((resolve) => setTimeout(resolve, 1)); junk = Array.from({ length: 50000 }, () => ({})); }`;

  it('does not keep the signals that followed it', async () => {
    const guest = new Guest(code);
    const source = `const c = new AbortController(); const refs = [];
      for (let i = 0; i < 5000; i++) refs.push(new WeakRef(AbortSignal.any([c.signal])));
      ${churn}
      return refs.filter((ref) => ref.deref() === undefined).length > 2500;`;
    assert.equal(await guest.run(source), 'true');
    guest.dispose();
  });

  it('keeps a follower that somebody listens to', async () => {
    const guest = new Guest(code);
    const source = `const c = new AbortController(); let count = 0;
      for (let i = 0; i < 100; i++) AbortSignal.any([c.signal]).addEventListener('abort', () => count++);
      ${churn}
      c.abort(); return count;`;
    assert.equal(await guest.run(source), '100');
    guest.dispose();
  });
});
