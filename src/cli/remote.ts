/** What commands that talk to a server share: their options, and their connection. */
import { type Command, Option } from './command.ts';
import type { Client } from '../client/client.ts';
import { basename } from 'node:path';
import { PrisnError } from '../base/error.ts';
import { nameFrom } from '../model/name.ts';

export interface RemoteOptions {
  readonly server?: string;
  readonly namespace?: string;
}

/** Adds `-n` and `--server`, and the examples below the help. */
export function remoteCommand(command: Command, examples: readonly string[]): Command {
  return serverWideCommand(command.option('-n, --namespace <name>', 'the namespace it is in (default: default)'), examples);
}

/** As `remoteCommand`, for what is in no namespace. */
export function serverWideCommand(command: Command, examples: readonly string[]): Command {
  return command
    .addOption(new Option('--server <address>', 'the server to talk to; without one, that of PRISN_SERVER, or a local one'))
    .note(`\nExamples:\n${examples.map((line) => `  ${line}\n`).join('')}`.trimEnd());
}

export async function open(options: RemoteOptions): Promise<Client> {
  const { connect } = await import('./connect.ts');
  return connect(options);
}

/** The options that a command needs to find the same thing again. */
export function sameTarget({ namespace, server }: RemoteOptions): string {
  return `${namespace === undefined ? '' : ` -n ${namespace}`}${server === undefined ? '' : ` --server ${server}`}`;
}

export function isExecutionId(text: string): boolean {
  return text.startsWith('exec-');
}

/**
 * Ids of executions are long and copied, so a name in their place is a deployment's.
 * @throws PrisnError `usage`
 */
export function checkExecutionId(id: string, command: string): void {
  if (isExecutionId(id)) return;
  throw new PrisnError(
    'usage',
    `prisn ${command} takes the id of an execution, such as exec-01…, and '${id}' is none; ` +
      `prisn get executions --deployment ${id} lists those of a deployment`,
  );
}

/**
 * @param command for the message
 * @throws PrisnError `usage` for what is no deployment's name: a file, or the id of an execution
 */
export function checkDeploymentName(word: string, command: string): void {
  if (isExecutionId(word))
    throw new PrisnError(
      'usage',
      `'${word}' is an execution, and prisn ${command} takes a deployment; prisn describe ${word} names it`,
    );
  checkNoFile(word, command);
}

/** @throws PrisnError `usage` */
export function checkNoFile(word: string, command: string): void {
  if (!/[./]/.test(word)) return;
  const name = nameFrom(basename(word));
  throw new PrisnError(
    'usage',
    `'${word}' is a file, and prisn ${command} takes what is deployed` +
      (name ? `; its deployment is named ${name}: prisn ${command} ${name}` : ''),
  );
}

/** Gathers the values of an option that may be given more than once. */
export function repeatable(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** @throws PrisnError `usage` */
export function wholeNumber(name: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw new PrisnError('usage', `${name}: '${text}' is not a whole number from ${least} to ${most}`);
  };
}

/** Checked here, for a message that names both forms; the server reads it. */
export function sinceOf(text: string): string {
  if (/^\d/.test(text)) return text;
  throw new PrisnError(
    'usage',
    `--since: '${text}' is no time; write a duration back such as 5m, 2h or 1d, or 2030-01-31T08:00:00Z (RFC 3339)`,
  );
}
