/** What an environment is known by: a hash of all that decides what is installed. */
import { hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { realPath } from '../base/real-path.ts';
import type { BaseInterpreter } from '../model/needs.ts';

/** Changes when environments are built in another way. */
const generation = '1';

/** @param parts each is a part of its own, whatever is in it */
export function keyOf(interpreter: BaseInterpreter, parts: readonly string[]): string {
  const all = [generation, process.platform, process.arch, libc(), realPath(interpreter.file), interpreter.version, ...parts];
  return hash('sha256', JSON.stringify(all)).slice(0, 32);
}

/** Variables that steer an installer, of those of these beginnings, in the order of their names. */
export function steering(env: Readonly<Record<string, string>>, beginnings: RegExp, except: RegExp): string[] {
  return Object.keys(env)
    .filter((name) => beginnings.test(name) && !except.test(name))
    .sort()
    .map((name) => `${name}=${env[name]}`);
}

/** Wheels and binaries of npm are made for one of them. */
function libc(): string {
  return process.platform === 'linux' && existsSync(`/lib/ld-musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`)
    ? 'musl'
    : '';
}
