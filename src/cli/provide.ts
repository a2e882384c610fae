/** What a foreground run needs and does not have yet is built here, in sight of whoever waits for it. */
import { writeSync } from 'node:fs';
import { isTerminal } from '../base/terminal.ts';
import {
  type Environment,
  type EnvironmentRequest,
  type Environments,
  findEnvironment,
  type Progress,
} from '../environments/environments.ts';
import { tailOf } from '../environments/failed.ts';
import { openEnvironments } from './environments.ts';
import { environmentsDir } from './home.ts';
import { say } from './say.ts';

/**
 * @param isVerbose whether all that the installer says is shown
 * @throws PrisnError as `Environments.prepare`, after the installer's last lines were shown
 */
export async function provide(request: EnvironmentRequest, isVerbose: boolean): Promise<Environment> {
  const ready = findEnvironment(environmentsDir(process.env), request);
  if (ready) return ready;
  const environments = await openEnvironments();
  const end = endWithUs(environments);
  const progress = isTerminal(2) && !isVerbose ? statusLine() : plainLines(isVerbose);
  try {
    return await environments.prepare(request, progress);
  } catch (error) {
    progress.clear();
    if (!isVerbose) for (const line of tailOf(error)) tell(`  ${line}\n`);
    throw error;
  } finally {
    progress.clear();
    end();
  }
}

/** A signal of the terminal is for this process alone: the installer leads a group of its own. */
function endWithUs(environments: Environments): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const onSignal = (signal: NodeJS.Signals): void => {
    void environments.close().then(() => {
      for (const name of signals) process.removeListener(name, onSignal);
      process.kill(process.pid, signal);
    });
  };
  for (const name of signals) process.on(name, onSignal);
  return () => {
    for (const name of signals) process.removeListener(name, onSignal);
  };
}

type Shown = Progress & { readonly clear: () => void };

function plainLines(isVerbose: boolean): Shown {
  return {
    begin: (what) => say(`installing ${what}, once`),
    waiting: (pid) => say(`waiting for another prisn, process ${pid}, that installs the same`),
    line: (text) => void (isVerbose && tell(`  ${text}\n`)),
    end: (ms) => say(`installed in ${seconds(ms)}`),
    clear: () => {},
  };
}

const clearLine = '\r\x1b[K';

/** One line that is written over: what is installed, and what the installer says at the moment. */
function statusLine(): Shown {
  let title = '';
  let isShown = false;
  const show = (text: string): void => {
    const width = process.stderr.columns || 80;
    // No control character of the installer reaches the terminal.
    tell(`${clearLine}\x1b[2m${text.replace(/[\u0000-\u001f\u007f]/g, ' ').slice(0, width - 1)}\x1b[22m`);
    isShown = true;
  };
  const clear = (): void => {
    if (isShown) tell(clearLine);
    isShown = false;
  };
  return {
    begin: (what) => {
      title = `prisn: installing ${what}, once`;
      show(title);
    },
    waiting: (pid) => show(`prisn: waiting for another prisn, process ${pid}, that installs the same`),
    line: (text) => show(`${title}: ${text.trim()}`),
    end: clear,
    clear,
  };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function tell(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // nobody reads it
  }
}
