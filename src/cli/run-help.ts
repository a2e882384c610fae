/** The help of `prisn run`, from its one declaration. */
import { runOptions } from './run-options.ts';

export function runHelp(): string {
  const rows = runOptions.map((option) => {
    const short = 'short' in option ? `${option.short}, ` : '    ';
    return [`${short}${option.long}${'value' in option ? ` ${option.value}` : ''}`, option.help] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length));
  return `Usage: prisn run [options] <file> [args…]

Runs a file once, in the foreground: JavaScript and TypeScript in a V8 isolate, every
other language as a process of its interpreter. Its output, its input, its environment
and its exit code are the program's own. What stands after the file goes to the program.
With --detach a server runs it, with what the file brings along and the variables given here.

Options:
${rows.map(([left, help]) => `  ${left.padEnd(width)}  ${help}`).join('\n')}

Examples:
  prisn run report.py --since monday        arguments after the file are the program's
  prisn run --timeout 30s --memory 256mb crawl.js
  prisn run -e LEVEL=debug --env-file .env job.ts
  prisn run --input '{"name":"Ada"}' greet.js   calls its default export
  prisn logs -f $(prisn run --detach crawl.py)
  echo 'print(6 * 7)' | prisn run --runtime python3 -
  prisn run --runtime bash --exec 'echo $0 $1' one

Exit codes: the program's own; 124 timed out; 137 out of memory; 128+n ended by signal n;
126 cannot be run; 127 no such runtime; 125 prisn itself failed; 2 wrong usage.
`;
}
