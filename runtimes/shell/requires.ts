/**
 * The commands that a shell script says it needs, in a comment at its top: `# requires: jq psql`. They are looked for before it starts, as
 * a script that ends half-way is worse than one that does not begin.
 */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { PrisnError } from '../../src/base/error.ts';
import { searchPath, type Surroundings } from '../path.ts';

/** Where it has to stand. */
const headBytes = 4096;

/** @param file path of the script @throws PrisnError `dependency` with what to type */
export function checkRequired(file: string, surroundings: Surroundings): void {
  const missing = requiredIn(headOf(file)).filter((name) => searchPath(name, surroundings).next().value === undefined);
  if (missing.length === 0) return;
  const words = missing.length === 1 ? `${missing[0]}, which is` : `${missing.join(' and ')}, which are`;
  throw new PrisnError(
    'dependency',
    `${basename(file)} requires ${words} not found in PATH; to install: ${installLine(missing)}`,
  );
}

/** @param head the beginning of a script */
export function requiredIn(head: string): string[] {
  const names: string[] = [];
  for (const line of head.split('\n')) {
    if (!/^\s*(?:#|$)/.test(line)) break;
    const [, list] = /^#\s*requires:\s*(.*?)\s*$/i.exec(line) ?? [];
    if (list) names.push(...list.split(/[\s,]+/));
  }
  return [...new Set(names.filter((name) => /^[\w.+-]+$/.test(name)))];
}

function headOf(file: string): string {
  const fd = openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(headBytes);
    return buffer.toString('utf8', 0, readSync(fd, buffer, 0, headBytes, 0));
  } finally {
    closeSync(fd);
  }
}

/** Where the package is not called like the command, in Debian. */
const packages: Readonly<Record<string, string>> = {
  psql: 'postgresql-client',
  pg_dump: 'postgresql-client',
  mysql: 'default-mysql-client',
  'redis-cli': 'redis-tools',
  convert: 'imagemagick',
  rg: 'ripgrep',
  fd: 'fd-find',
  dig: 'dnsutils',
  nc: 'netcat-openbsd',
  ip: 'iproute2',
  ss: 'iproute2',
  ps: 'procps',
  aws: 'awscli',
  pdftotext: 'poppler-utils',
  xmllint: 'libxml2-utils',
  envsubst: 'gettext-base',
  '7z': 'p7zip-full',
  pip: 'python3-pip',
  pip3: 'python3-pip',
  node: 'nodejs',
  gcc: 'build-essential',
  make: 'build-essential',
};

function installLine(commands: readonly string[]): string {
  if (process.platform === 'darwin') return `brew install ${commands.join(' ')}`;
  if (existsSync('/etc/debian_version'))
    return `apt-get install ${[...new Set(commands.map((name) => packages[name] ?? name))].join(' ')}`;
  if (existsSync('/etc/fedora-release')) return `dnf install ${commands.join(' ')}`;
  if (existsSync('/etc/arch-release')) return `pacman -S ${commands.join(' ')}`;
  return `the packages that have them`;
}
