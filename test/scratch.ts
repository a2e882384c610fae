/** A folder for one test, or for all tests of a file or a `describe`, gone when they end, and what they put in it. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';

export class Scratch {
  /** Absolute and without links, so that it is what a program is told about itself. */
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'prisn-test-')));

  /** @param owner the test whose end is the folder's; without one it is the file or the `describe` in which this is called */
  constructor(owner: { after(clean: () => void): void } = { after }) {
    owner.after(() => rmSync(this.root, { recursive: true, force: true }));
  }

  path(name: string): string {
    return join(this.root, name);
  }

  folder(name: string): string {
    mkdirSync(this.path(name), { recursive: true });
    return this.path(name);
  }

  /** @returns the file's absolute path */
  file(name: string, text: string | Uint8Array = '', mode = 0o644): string {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  }

  /** An executable sh script. */
  script(name: string, body: string): string {
    return this.file(name, `#!/bin/sh\n${body}\n`, 0o755);
  }

  /** The lines of a file that scripts append to, one a call. */
  log(name: string): string[] {
    return existsSync(this.path(name)) ? readFileSync(this.path(name), 'utf8').split('\n').filter(Boolean) : [];
  }
}
