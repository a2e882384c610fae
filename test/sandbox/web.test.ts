import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { runGuest } from './guest.ts';
import { inIsolate, inNode, inOneIsolate } from './web/answers.ts';
import { areas, differences } from './web/cases.ts';
import { serve } from './web/server.ts';

const { base, closed, stop } = await serve();
after(stop);

/** The answers of an isolate to all sources of a `describe`. */
function answersTo(sources: readonly string[]): (source: string) => string | undefined {
  let answers: readonly string[] = [];
  before(async () => {
    answers = await inIsolate(sources);
  });
  return (source) => answers[sources.indexOf(source)];
}

for (const [area, cases] of Object.entries(areas)) {
  describe(`${area} in an isolate`, () => {
    const bound = cases.map((source) => source.replaceAll('BASE', base).replaceAll('CLOSED', closed));
    const answerTo = answersTo(bound);
    for (const [index, source] of bound.entries()) {
      it(`answers as node does: ${cases[index]}`, async () => {
        assert.equal(answerTo(source), await inNode(source));
      });
    }
  });
}

describe('an isolate differs from node on purpose', () => {
  const answerTo = answersTo(differences.map(({ source }) => source));
  for (const { source, answer, reason } of differences) {
    it(`${reason}: ${source}`, () => {
      assert.equal(answerTo(source), answer);
    });
  }
});

describe('web globals', () => {
  it('are evaluated when a program first names them', async () => {
    const { stdout } = await runGuest(`
      const isGetter = (name) => 'get' in Object.getOwnPropertyDescriptor(globalThis, name);
      const before = isGetter('URL');
      typeof URL;
      process.stdout.write([before, isGetter('URL'), isGetter('fetch')].join());`);
    assert.equal(stdout, 'true,false,true');
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
    it(`may be replaced: ${source}`, async () => {
      // An indirect eval declares in the global scope.
      const { stdout } = await runGuest(`process.stdout.write(String((0, eval)(${JSON.stringify(source)})))`);
      assert.equal(stdout, String(value));
    });
  }

  it('share their classes: an object made by one is of the class of another', async () => {
    const source = `[(await fetch('${base}/echo')) instanceof Response, new Response().headers instanceof Headers,
      new URL('http://a').searchParams instanceof URLSearchParams, new AbortController().signal instanceof AbortSignal]`;
    assert.equal(await inOneIsolate(source), '[ true, true, true, true ]');
  });
});

describe('a listener that throws', () => {
  it('ends the program as an uncaught exception, after the other listeners and the dispatching code', async () => {
    const { outcome, stdout, stderr } = await runGuest(`
      const t = new EventTarget(), log = [];
      t.addEventListener('a', () => { throw new Error('from a listener'); });
      t.addEventListener('a', () => log.push('second'));
      log.push(t.dispatchEvent(new Event('a')));
      console.log(log);
      setTimeout(() => console.log('never'), 10);`);
    assert.equal(stdout, "[ 'second', true ]\n");
    assert.match(stderr, /Error: from a listener/);
    assert.deepEqual([outcome.reason, outcome.exitCode], ['exit', 1]);
  });
});

describe('fetch from an isolate', () => {
  it('closes the connection when it is aborted', { timeout: 20_000 }, async () => {
    const source = `const c = new AbortController();
      const answer = fetch('${base}/hang', { signal: c.signal }).catch((error) => error);
      await fetch('${base}/hanging?1');
      c.abort('x');
      await fetch('${base}/hanging?0');
      return answer;`;
    assert.equal(await inOneIsolate(source), "'x'");
  });

  it('refuses to hold more than 100 MB, and says so when the body is read', async () => {
    const answer = await inOneIsolate(
      `const r = await fetch('${base}/endless'); return [r.status, await r.text().catch((e) => e.message)];`,
    );
    assert.match(answer, /200,\s+'The response of http:\S+ is larger than 100 MB, .* --runtime node'/s);
  });

  it('shows nothing of the host in its errors', async () => {
    const shown = await inOneIsolate(`fetch('${closed}/').catch((e) => e)`);
    assert.match(shown, /TypeError: fetch failed\n +at eval .*program\.js/);
    assert.match(shown, /\[cause\]: Error: connect ECONNREFUSED/);
    assert.doesNotMatch(shown, /node:|file:|\/(?!program\.js)/);
  });

  it('drops an answer that comes after the abort', async () => {
    const source = `const c = new AbortController(); const p = fetch('${base}/echo', { signal: c.signal }); c.abort('early'); const one = await p.catch((e) => e);
      return [one, (await fetch('${base}/echo')).status];`;
    assert.equal(await inOneIsolate(source), "[ 'early', 200 ]");
  });
});

describe('a value too deep to clone', () => {
  it('is a RangeError that names no file of the host', async () => {
    const source = `let deep = {}; for (let i = 0; i < 3000; i++) deep = { deep }; try { structuredClone(deep); } catch (e) { return [e.name, e.stack]; }`;
    const answer = await inOneIsolate(source);
    assert.match(answer, /RangeError/);
    assert.doesNotMatch(answer, /file:|node:|boundary/);
  });
});

describe('a signal that lives long', () => {
  // Weakly held objects go between two turns of the event loop, once the heap has been collected.
  const churn = `for (let i = 0, junk; i < 30; i++) { await new Promise((resolve) => setTimeout(resolve, 1)); junk = Array.from({ length: 50000 }, () => ({})); }`;

  it('does not keep the signals that followed it', async () => {
    const source = `const c = new AbortController(); const refs = [];
      for (let i = 0; i < 5000; i++) refs.push(new WeakRef(AbortSignal.any([c.signal])));
      ${churn}
      return refs.filter((ref) => ref.deref() === undefined).length > 2500;`;
    assert.equal(await inOneIsolate(source), 'true');
  });

  it('keeps a follower that somebody listens to', async () => {
    const source = `const c = new AbortController(); let count = 0;
      for (let i = 0; i < 100; i++) AbortSignal.any([c.signal]).addEventListener('abort', () => count++);
      ${churn}
      c.abort(); return count;`;
    assert.equal(await inOneIsolate(source), '100');
  });
});
