/**
 * Asks the same of node and of an isolate. An answer is text: the value as `console.log` shows it, or what identifies the
 * error that came in its place.
 */
import { inspect } from 'node:util';
import { runGuest } from '../guest.ts';

const describeSource = `(code, inspect) => {
  const failed = (error) => {
    if (!(typeof error === 'object' && error !== null && 'message' in error)) return 'threw ' + inspect(error);
    const fields = Object.keys(error).map((key) => key + '=' + inspect(error[key])).join(' ');
    return ['threw', error.constructor.name, error.name, error.code, error.message, fields, String(error)].join(' | ');
  };
  return Promise.resolve().then((0, eval)(code)).then((value) => inspect(value), failed);
}`;

/** @param source an expression, or a body with `return` */
function asFunction(source: string): string {
  return source.includes('return ') && !source.startsWith('(') ? `(async () => { ${source} })` : `(async () => (${source}))`;
}

export async function inNode(source: string): Promise<string> {
  // oxlint-disable-next-line no-eval -- the test's own code
  const describe = (0, eval)(describeSource) as (code: string, show: typeof inspect) => Promise<string>;
  return describe(asFunction(source), inspect);
}

/** Asks all in one isolate, one after the other. */
export async function inIsolate(sources: readonly string[]): Promise<string[]> {
  const { stdout, stderr } = await runGuest(`
    let inspect;
    console.log({ [Symbol.for('nodejs.util.inspect.custom')]: (depth, options, given) => { inspect = given; return ''; } });
    const { stringify } = JSON, { stdout } = process, describe = ${describeSource};
    (async () => {
      for (const code of ${JSON.stringify(sources.map(asFunction))}) stdout.write(stringify(await describe(code, inspect)) + '\\n');
    })();`);
  const answers = stdout.split('\n').slice(1, -1);
  if (answers.length !== sources.length) throw new Error(`no answer to ${sources[answers.length]}\n${stderr}`);
  return answers.map((answer) => JSON.parse(answer));
}

export async function inOneIsolate(source: string): Promise<string> {
  const [answer = ''] = await inIsolate([source]);
  return answer;
}
