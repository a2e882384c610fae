import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ShownDeployment } from '../../src/api/contract/schemas.ts';
import { changedFields, keptFlags, wholeFields } from '../../src/cli/deploy-fields.ts';
import { type DeployFlags, said } from '../../src/cli/deploy-options.ts';
import { PrisnError } from '../../src/base/error.ts';
import { Scratch } from '../scratch.ts';

const scratch = new Scratch();

const deployed: ShownDeployment = {
  id: 'dep-1',
  name: 'job',
  namespace: 'default',
  type: 'job',
  runtime: 'python3',
  entrypoint: 'job.py',
  source_hash: 'sha256-0',
  revision: 3,
  args: ['--all'],
  env: { LEVEL: 'info', MODE: 'full' },
  secrets: [
    { name: 'db', env: 'DB' },
    { name: 'mail', env: 'MAIL' },
  ],
  timeout_ms: 300_000,
  retries: 2,
  concurrency: 1,
  resources: { memory_mb: 256, cpu: 0.5 },
  labels: { team: 'data' },
  status: { phase: 'Running', ready_replicas: 0, desired_replicas: 0, restarts: 0, last_updated: '2030-01-01T00:00:00.000Z' },
  created_at: '2030-01-01T00:00:00.000Z',
  updated_at: '2030-01-01T00:00:00.000Z',
};

function refused(flags: DeployFlags, says: RegExp): void {
  assert.throws(
    () => said(flags),
    (error) => error instanceof PrisnError && error.code === 'usage' && says.test(error.message),
  );
}

describe('a new deployment', () => {
  test('has the fields that were said, in the units of the API', () => {
    const flags = {
      env: ['A=1', 'B=x=y', 'A=2'],
      arg: ['one', '--two'],
      memory: '1.5gb',
      cpu: '0.5',
      pids: 20,
      timeout: '5m',
      retries: 2,
    };
    assert.deepEqual(wholeFields(said({ ...flags, secret: ['db.password:DB'], label: ['team=data'] })), {
      args: ['one', '--two'],
      timeout: '5m',
      retries: 2,
      env: { A: '2', B: 'x=y' },
      labels: { team: 'data' },
      resources: { memory_mb: 1536, cpu: 0.5, pids: 20 },
      secrets: [{ name: 'db.password', env: 'DB' }],
    });
  });

  test('has nothing that was not said', () => assert.deepEqual(wholeFields(said({})), {}));

  test('takes variables of files, and -e wins', () => {
    const envFile = [scratch.file('a.env', '# a comment\nA=file\nB="two\nlines"\n')];
    assert.deepEqual(wholeFields(said({ envFile, env: ['A=flag'] })).env, { A: 'flag', B: 'two\nlines' });
  });

  test('sends what this server may not know yet, for it to say so', () => {
    assert.deepEqual(wholeFields(said({ port: 8080, replicas: 3, health: '/up' })), {
      port: 8080,
      replicas: 3,
      health_check: { path: '/up' },
    });
  });
});

describe('a redeploy', () => {
  test('changes what is said and nothing else', () => {
    assert.deepEqual(changedFields(said({}), deployed), {});
    assert.deepEqual(changedFields(said({ timeout: '1h', env: ['LEVEL=debug', 'MODE-'] }), deployed), {
      timeout: '1h',
      env: { LEVEL: 'debug', MODE: null },
    });
  });

  test('keeps the other limits beside one that is changed', () => {
    assert.deepEqual(changedFields(said({ memory: '512mb' }), deployed).resources, { memory_mb: 512, cpu: 0.5 });
  });

  test('keeps the other secrets beside one that is added, changed or removed', () => {
    const secrets = (...secret: string[]) => changedFields(said({ secret }), deployed).secrets;
    const [db, mail] = deployed.secrets ?? [];
    assert.deepEqual(secrets('s3:S3_KEY'), [db, mail, { name: 's3', env: 'S3_KEY' }]);
    assert.deepEqual(secrets('other-db:DB'), [mail, { name: 'other-db', env: 'DB' }]);
    assert.deepEqual(secrets('DB-'), [mail]);
    assert.deepEqual(secrets('db-'), [mail]);
    assert.throws(() => secrets('nothing-'), /job has no secret of that name/);
  });

  test('keeps reuse until it is taken back', () => {
    const reused = { ...deployed, reuse: true };
    assert.ok(keptFlags(said({}), reused).includes('--reuse'));
    assert.deepEqual(changedFields(said({ reuse: false }), reused), { reuse: false });
    assert.ok(!keptFlags(said({ reuse: false }), reused).includes('--reuse'));
  });

  test('tells what stays in force, without values of variables', () => {
    assert.deepEqual(keptFlags(said({ retries: 0, env: ['LEVEL=debug'], secret: ['DB-'], cpu: '2' }), deployed), [
      '--timeout 5m',
      '--concurrency 1',
      '--arg --all',
      '--memory 256mb',
      '-e MODE',
      '--secret mail:MAIL',
      '--label team',
    ]);
  });
});

describe('the flags of deploy are refused', () => {
  for (const [flags, says] of [
    [{ env: ['LEVEL'] }, /--env: 'LEVEL' is not KEY=VALUE.*-e GREETING- to remove it/],
    [{ env: ['1X=1'] }, /--env: '1X=1'/],
    [{ secret: ['db-password'] }, /--secret: 'db-password' is not name:VARIABLE/],
    [{ secret: ['db:1X'] }, /is not name:VARIABLE/],
    [{ label: ['team'] }, /--label: 'team' is not KEY=VALUE/],
    [{ timeout: '30' }, /--timeout: '30' is not a duration/],
    [{ memory: '1mb' }, /--memory: '1mb' is out of range/],
    [{ cpu: '0' }, /--cpu: '0'/],
    [{ envFile: ['/nowhere/x.env'] }, /--env-file: '\/nowhere\/x\.env' does not exist/],
    [{ port: 8080, schedule: '* * * * *' }, /--port makes a service.*--schedule a job/],
  ] satisfies [DeployFlags, RegExp][]) {
    test(JSON.stringify(flags), () => refused(flags, says));
  }

  test('a line of a file that assigns nothing is named', () => {
    const envFile = [scratch.file('strange.env', 'A=1\nthis is none\n')];
    refused({ envFile }, /line 2 of/);
  });
});
