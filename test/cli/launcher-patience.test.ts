/** The native launcher and those who do not answer: it waits no longer than it has to, and the program runs once. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { encodeFrame, FrameReader } from '../../src/base/frames.ts';
import { launchRequestIn, ticketPayload } from '../../src/model/launch.ts';
import { needsLauncher } from '../clients.ts';
import { needs } from '../machine.ts';
import { prisn, startPrisn } from '../prisn.ts';
import { until } from '../processes.ts';
import { Scratch } from '../scratch.ts';
import { startWarmServer, type WarmServer } from '../warm-server.ts';

const scratch = new Scratch();
const name = `prisn-test-${process.pid}-${Date.now().toString(36)}`;
/** More than the buffers of a socket take. */
const large = Object.fromEntries(['A', 'B', 'C', 'D'].map((letter) => [`LARGE_${letter}`, letter.repeat(120_000)]));
const file = scratch.file('runs.py', 'print("ran")');

/** Listens, and reads nothing: as whoever is stopped. */
async function mute(path: string): Promise<{ connections: Socket[]; close: () => void }> {
  const connections: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => {});
    connections.push(socket);
  });
  server.listen(path);
  await once(server, 'listening');
  const close = (): void => {
    for (const socket of connections) socket.destroy();
    server.close();
  };
  return { connections, close };
}

describe('the launcher', { skip: needsLauncher.skip || needs('python3').skip }, () => {
  let daemon: WarmServer;
  let forks: Awaited<ReturnType<typeof mute>>;

  before(async () => {
    daemon = await startWarmServer(scratch.folder('home'), giveTicket);
    forks = await mute(`\0${name}`);
  });
  after(async () => {
    forks.close();
    await daemon.close();
  });

  function giveTicket(socket: Duplex, head: Buffer): void {
    const reader = new FrameReader();
    socket.on('error', () => {});
    const hear = (chunk: Buffer): void => {
      for (const { type, payload } of reader.read(chunk)) {
        const request = type === 'L' ? launchRequestIn(payload) : undefined;
        const ticket = { socket: `@${name}`, ticket: 'f00', file: request?.file ?? '', directory: '', env: {} };
        if (request) socket.write(encodeFrame('T', ticketPayload(ticket)));
      }
    };
    socket.on('data', hear);
    hear(head);
  }

  for (const [what, env, why] of [
    ['a fork server that does not answer', {}, 'the fork server does not answer'],
    ['a fork server that does not take what is large', large, 'the fork server does not take it'],
  ] as const)
    test(`gives up ${what}, and the Node client runs the program`, async () => {
      const child = startPrisn(['run', '-v', file], { env: { PRISN_SOCKET: daemon.socket, ...env } });
      // Its end may be long in coming: what was sent and is not read has the descriptors too.
      const said = { stdout: '', stderr: '' };
      for (const stream of ['stdout', 'stderr'] as const)
        child[stream]?.setEncoding('utf8').on('data', (text: string) => (said[stream] += text));
      await until('it ran', () => said.stdout !== '', 20_000);
      assert.match(said.stderr, new RegExp(`^prisn: not by the launcher, since ${why}\n`));
      assert.equal(said.stdout, 'ran\n');
      // Who wants to say now that the program begins cannot.
      const last = forks.connections.at(-1);
      assert.ok(last);
      const failed = once(last, 'error') as Promise<[NodeJS.ErrnoException]>;
      last.resume().write('P');
      assert.match((await failed)[0].code ?? '', /^(?:EPIPE|ECONNRESET)$/);
    });

  test('ends by Ctrl-C while it waits for a fork server', async () => {
    const child = startPrisn(['run', file], { env: { PRISN_SOCKET: daemon.socket } });
    const exited = once(child, 'exit');
    const has = (link: string): boolean => readlinks(child.pid ?? 0).includes(link);
    await until('it waits', () => has('anon_inode:[signalfd]'));
    child.kill('SIGINT');
    assert.deepEqual(await exited, [null, 'SIGINT']);
  });

  test('gives up a daemon that does not take what is large', async (t) => {
    const silent = await mute(scratch.path('silent.sock'));
    t.after(silent.close);
    const env = { PRISN_SOCKET: scratch.path('silent.sock'), ...large };
    const result = await prisn(['run', '-v', file], { env, timeoutMs: 20_000 });
    assert.match(result.stderr, /^prisn: not by the launcher, since the daemon does not answer\n/);
    assert.equal(result.stdout, 'ran\n');
  });
});

/** What a process has open. */
function readlinks(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    return [];
  }
}
