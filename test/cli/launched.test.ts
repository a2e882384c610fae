/**
 * The suites of `prisn run` once more, with a daemon that is alive: what the launcher takes, it takes, and nothing is to be
 * seen of that but the time.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { needsLauncher } from '../clients.ts';
import { everyRunHas, prisn } from '../prisn.ts';
import { Scratch } from '../scratch.ts';
import { Server } from '../server.ts';

if (needsLauncher.skip === false) {
  const server = await Server.start({ after });
  everyRunHas({ PRISN_HOME: server.home });
  for (const suite of ['./run.test.ts', './signals.test.ts', '../bin.test.ts']) await import(suite);

  test('the launcher would have taken them', async () => {
    const { stderr } = await prisn(['run', '-v', new Scratch().file('hello.js', '1')]);
    assert.match(stderr, /^prisn: not by the launcher, since .* without -v it hands the program to an isolate of the daemon\n/);
  });
} else {
  describe('the suites of prisn run by the launcher', needsLauncher, () => {});
}
