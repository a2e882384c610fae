/** What the users of prisn have written down: their client, their curl calls and their snippets, unchanged. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { unpackDebian } from './debian.ts';
import { findProgram, needs } from './machine.ts';
import { environment, root } from './prisn.ts';
import { Scratch } from './scratch.ts';
import { Server } from './server.ts';

/** It stands in the users' programs. */
const port = 7331;
const fixtures = join(root, 'test/fixtures/user');

describe('the users’ own text, against a server on its own port', needs('python3', 'curl', 'bash'), () => {
  const scratch = new Scratch();
  let server: Server | undefined;
  let skipped: string | undefined;
  let pythonPath = fixtures;

  const clean: (() => Promise<void> | void)[] = [];
  after(async () => {
    for (const each of clean) await each();
  });

  before(async () => {
    if (!(await isFree(port))) skipped = `port ${port} is in use`;
    else
      server = await Server.start(
        { after: (each) => clean.push(each) },
        { home: scratch.folder('home'), flags: ['--addr', `127.0.0.1:${port}`] },
      );
    scratch.file('backup.py', 'import os\nprint("backed up", os.environ.get("LEVEL", "all"))\n');
    scratch.file('jobs/full-reprocess.py', 'import os\nprint(os.environ["DATABASE_URL"])\n');
    scratch.file('api.py', 'import os\ndb_password = os.environ["DATABASE_PASSWORD"]\nprint(len(db_password), db_password)\n');
  });

  /** Runs words in a shell, as a user types them. */
  async function shell(context: TestContext, script: string, file = 'bash', flag = '-c'): Promise<string> {
    if (skipped !== undefined) context.skip(skipped);
    if (server === undefined) return '';
    const child = spawn(file, [flag, script], {
      cwd: scratch.root,
      env: environment({
        PRISN_HOME: server.home,
        PATH: `${join(root, 'bin')}:${process.env['PATH']}`,
        PYTHONPATH: pythonPath,
      }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    const code = await new Promise((resolve) => child.once('close', resolve));
    assert.equal(code, 0, `${script}\n${out}\n${err}`);
    return out;
  }

  function hasRequests(): boolean {
    return spawnSync('python3', ['-c', 'import requests']).status === 0;
  }

  test('a job is deployed, triggered by CLI and by curl, and found in every list', async (context) => {
    await shell(context, 'prisn deploy backup.py --name backup-job');
    const id = await shell(context, 'prisn trigger backup-job');
    if (skipped !== undefined) return;
    assert.match(id, /^exec-[0-9a-z]{26}\n$/);
    const created = await shell(
      context,
      `curl -sf -X POST http://localhost:7331/api/v1/executions \\
  -H "Content-Type: application/json" \\
  -d '{"deployment_id": "backup-job"}'`,
    );
    assert.equal((JSON.parse(created) as { status: string }).status, 'Pending');
    await shell(context, `prisn wait ${id.trim()} ${(JSON.parse(created) as { id: string }).id}`);
    assert.match(await shell(context, `curl -sf http://localhost:7331/api/v1/executions/${id.trim()}/logs`), /backed up all/);
    assert.match(await shell(context, 'prisn get executions'), new RegExp(`${id.trim()}.*Completed`));
    assert.match(await shell(context, 'prisn get apps'), /backup-job/);
    assert.match(await shell(context, 'prisn logs backup-job'), /backed up all/);
    assert.match(await shell(context, 'curl -sf http://localhost:7331/metrics'), /prisn_executions_total\{.*status="Completed"/);
  });

  test('a body of curl -d is JSON though its Content-Type says otherwise', async (context) => {
    await shell(
      context,
      'PRISN_SERVER="localhost:7331"; prisn deploy jobs/full-reprocess.py --name reprocess-job -e DATABASE_URL=postgres://db',
    );
    const reply = await shell(
      context,
      'PRISN_SERVER="localhost:7331"; curl -sf -X POST http://$PRISN_SERVER/api/v1/executions -d \'{"deployment_id":"reprocess-job"}\'',
    );
    if (skipped === undefined) assert.match((JSON.parse(reply) as { id: string }).id, /^exec-/);
  });

  test('PRISN_SERVER may lack a scheme', async (context) => {
    // Nothing is deployed at home, and no server may be started there.
    const elsewhere = `export PRISN_HOME=${scratch.folder('elsewhere')} PRISN_DAEMON=off PRISN_SERVER="localhost:7331"`;
    const apps = await shell(context, `${elsewhere}; prisn get apps`);
    if (skipped === undefined) assert.match(apps, /backup-job/);
  });

  test('code is run as it is sent', async (context) => {
    const reply = await shell(
      context,
      `curl -sf 'http://localhost:7331/api/v1/executions?wait=30s' -d '{"source": "print(\\u0027hello\\u0027)", "runtime": "python3"}'`,
    );
    if (skipped !== undefined) return;
    const { status, stdout } = JSON.parse(reply) as { status: string; stdout: string };
    assert.deepEqual({ status, stdout }, { status: 'Completed', stdout: 'hello\n' });
  });

  test('a secret reaches the program and not its log', async (context) => {
    await shell(
      context,
      'prisn secret create db-password --value "supersecret" && prisn deploy api.py --secret db-password:DATABASE_PASSWORD',
    );
    const out = await shell(context, 'prisn trigger api --wait');
    if (skipped === undefined) assert.equal(out, '11 ***\n');
  });

  test('the Python client triggers, waits, lists and gets', async (context) => {
    if (!hasRequests()) {
      const reason = unpackDebian(
        ['python3-requests', 'python3-urllib3', 'python3-chardet', 'python3-idna', 'python3-certifi', 'python3-six'],
        scratch.folder('debian'),
      );
      if (reason !== undefined) return context.skip(reason);
      pythonPath = `${fixtures}:${scratch.path('debian/usr/lib/python3/dist-packages')}`;
    }
    const out = await shell(
      context,
      [
        'from prisn_client import client',
        'print([d["name"] for d in client.list_deployments() if d["name"] == "backup-job"])',
        'print(client.get_deployment("backup-job")["type"])',
        'again = client.wait_for_execution(client.trigger("backup-job", {"LEVEL": "some"}))',
        'print(again["status"], again["stdout"].strip())',
      ].join('\n'),
      findProgram('python3'),
    );
    if (skipped !== undefined) return;
    assert.equal(out, "Backup completed: Completed\n['backup-job']\njob\nCompleted backed up some\n");
  });
});

function isFree(wanted: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(wanted, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
