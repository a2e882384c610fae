/**
 * Reads the documentation as a test does: its tables, and its examples.
 *
 * An example is a fenced block `sh` with a block `output` right after it. The examples of a document run in turn in one folder,
 * which has `examples/`, with a server of their own in place of the one at localhost:7331. Blank space does not count, so JSON
 * may be wrapped, `…` stands for anything, and what differs from run to run (ids, times, hashes) is compared by its form.
 */
import { spawn } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { delimiter, join } from 'node:path';
import { environment, root } from './prisn.ts';
import type { Scratch } from './scratch.ts';
import type { Server } from './server.ts';

export interface Example {
  /** Of the document, from 1. */
  readonly line: number;
  readonly script: string;
  readonly output: string;
}

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export function readDocument(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

export function examplesOf(text: string): Example[] {
  const blocks = text.matchAll(/^```sh\n((?:(?!```).*\n)+)```\n\n```output\n((?:(?!```).*\n)*)```$/gm);
  return Array.from(blocks, ({ index, 1: script = '', 2: output = '' }) => ({
    line: text.slice(0, index).split('\n').length,
    script,
    output,
  }));
}

/** The table that the heading of this name is followed by. Cells are without the marks of code. */
export function tableBelow(text: string, heading: string): Table {
  const start = text.search(new RegExp(`^#+ ${heading}$`, 'm'));
  const [lines = ''] = /(?:^\|.*\n)+/m.exec(start < 0 ? '' : text.slice(start)) ?? [];
  const [head = [], , ...rows] = lines.trim().split('\n').map(cellsOf);
  return { head, rows };
}

/** A `|` inside of a cell is written `\|`. */
function cellsOf(line: string): string[] {
  const cells = line
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/);
  return cells.map((cell) => cell.replaceAll('\\|', '|').replaceAll('`', '').trim());
}

/** A folder in which examples run. */
export class Reader {
  readonly #folder: Scratch;
  readonly #server: Server;

  constructor(folder: Scratch, server: Server) {
    this.#folder = folder;
    this.#server = server;
    cpSync(join(root, 'examples'), folder.path('examples'), { recursive: true });
  }

  /** @returns what a terminal would show, in the words of the documentation */
  async run(script: string): Promise<string> {
    const { port } = new URL(this.#server.url);
    const here = script.replaceAll(/(?<=localhost|127\.0\.0\.1):7331\b/g, `:${port}`);
    const child = spawn('bash', ['-c', `exec 2>&1; curl() { command curl -sS "$@"; }\n${here}`], {
      cwd: this.#folder.root,
      env: environment({
        PRISN_HOME: this.#server.home,
        PATH: [join(root, 'bin'), environment()['PATH']].join(delimiter),
      }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    await new Promise((resolve) => child.once('close', resolve));
    return output
      .replaceAll(`:${port}`, ':7331')
      .replaceAll(this.#server.home, '/home/ada/.prisn')
      .replaceAll(this.#folder.root, '/home/ada')
      .replaceAll(root, '/home/ada/prisn/')
      .replaceAll(`"node_id":"${hostname()}"`, '"node_id":"ada-pc"');
  }
}

/** @returns whether an output is as the document shows it */
export function isAsShown(output: string, shown: string): boolean {
  const parts = formOf(shown)
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^]*')}$`).test(formOf(output));
}

const changing: readonly (readonly [RegExp, string])[] = [
  [/\b(exec|dep)-[0-9a-z]{26}\b/g, '$1-ID'],
  [/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'UUID'],
  [/\bsha256-[0-9a-f]+/g, 'HASH'],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, 'TIME'],
  [/\b\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g, 'TIME'],
  [/_ms":\s*[\d.]+/g, '_ms":N'],
  [/"pid":\s*\d+/g, '"pid":N'],
  [/\b(pid|process)(\s+)\d+/g, '$1$2N'],
  [/\b(?:[\d.]+(?:ms|[smhd]))+(?=\s|\)|,|$)/gm, 'TIME'],
  [/\b[\d.]+ (?:bytes|kB)/g, 'N bytes'],
  [/("(?:records|bytes)": ?|restored )\d+/g, '$1N'],
  [/Node\.js v[\d.]+/g, 'Node.js vN'],
  [/\s+/g, ''],
];

function formOf(text: string): string {
  return changing.reduce((form, [pattern, replacement]) => form.replace(pattern, replacement), text);
}
