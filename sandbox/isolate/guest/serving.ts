/**
 * A program that is called again and again: its modules are evaluated once, and its default export serves one call after
 * the other, with whatever the calls before left in its variables.
 *
 * The host hands over several calls in one entry where they are short, and each begins when the one before it has ended.
 * Where one of them has to wait, those behind it have not begun when the entry is over, and the host takes them back to
 * have them served elsewhere: `turn` tells that this has happened. With a call ends what it left under way: its timers are
 * cleared here, its requests are aborted by the host.
 */
import { callable, hasFetch } from './callable.ts';
import { showUncaught } from './errors.ts';
import { host, type Request, turn } from './host.ts';
import { awaitCall, callMain } from './main.ts';
import { beginCall } from './program.ts';
import { clearTimers } from './timers.ts';

/** Taken before the program can replace it. */
const { parse } = JSON;

let main: unknown;

/** The program's modules have been evaluated. */
export function open(found: unknown): void {
  main = found;
  awaitCall(false);
  if (callable(main) || hasFetch(main)) host.settled();
  else host.noHandler('calls');
}

/** @param fields of each call in turn: its execution, the head of its request, its body or input; see `Entries.calls` */
export function calls(...fields: unknown[]): void {
  void serveAll(fields);
}

async function serveAll(fields: readonly unknown[]): Promise<void> {
  const mine = turn();
  for (let at = 0; at < fields.length && turn() === mine; at += 3)
    await serve(fields[at] as string | undefined, fields[at + 1] as string | undefined, fields[at + 2]);
}

async function serve(executionId: string | undefined, head: string | undefined, content: unknown): Promise<void> {
  beginCall(executionId);
  awaitCall(true);
  try {
    if (head === undefined) await callWithInput(content as string | undefined);
    else await (require('./function.ts') as typeof import('./function.ts')).answerInTime(main, received(head, content));
    clearTimers();
    host.settled();
  } catch (error) {
    clearTimers();
    showUncaught(error);
    host.failed();
  }
  awaitCall(false);
}

async function callWithInput(text: string | undefined): Promise<void> {
  const callee = callable(main);
  if (callee) await callMain(callee, text);
  else host.noHandler('input');
}

/** @param content text of one byte a character, or bytes */
function received(head: string, content: unknown): Request {
  const [method, url, headers] = parse(head) as [string, string, Request['headers']];
  return { method, url, headers, body: typeof content === 'string' ? content : new Uint8Array(content as ArrayBuffer) };
}
