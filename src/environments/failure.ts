/** What installers say when they fail, in words that can be acted on: which package, why, what to do. */

interface Symptom {
  readonly pattern: RegExp;
  /** @param match groups of the pattern @returns completes "pip install …" */
  readonly say: (match: RegExpExecArray) => string;
}

const network =
  'no network, or the index is down: try again, or install from what is here (a proxy, PIP_NO_INDEX with PIP_FIND_LINKS, npm_config_offline)';

/** The first that fits is told: what is certain stands before what may be its consequence. */
const symptoms: readonly Symptom[] = [
  {
    pattern: /No space left on device|ENOSPC|Disk quota exceeded/,
    say: () => 'found the disk full; free some, or run prisn cache clean',
  },
  {
    pattern: /ensurepip is not (?:available|found)|No module named '?(?:ensurepip|venv)/,
    say: () => 'lacks a part of Python that Debian packages by itself: apt-get install python3-venv',
  },
  { pattern: /No module named '?pip\b/, say: () => 'lacks pip: apt-get install python3-pip python3-venv, or install uv' },
  {
    pattern: /DO NOT MATCH THE HASHES[^]*?\n\s+(\S+) from /,
    say: ([, name]) =>
      `got something else for ${name} than its hash says; if it was published anew on purpose, update the hash, else do not install it`,
  },
  {
    pattern: /[Hh]ash mismatch for [`'"]?([^\s`'"]+)/,
    say: ([, name]) =>
      `got something else for ${name} than its hash says; if it was published anew on purpose, update the lock, else do not install it`,
  },
  {
    pattern: /EINTEGRITY[^]*?(?:integrity checksum failed|sha\d+-)|YN0018/,
    say: () =>
      'got another file than the lock says; if it was published anew on purpose, make the lock anew, else do not install it',
  },
  {
    pattern:
      /Hashes are required in --require-hashes mode[^]*?\n\s+([^\s#][^\n]*?) --hash|In --require-hashes mode, all requirements must/,
    say: ([, name]) =>
      `needs a hash for each package with --frozen${name === undefined ? '' : `, and ${name.trim()} has none`}; make them by pip-compile --generate-hashes or uv pip compile --generate-hashes`,
  },
  {
    pattern: /Package '?([^\s']+)'? requires a different Python: (\S+) not in '([^']*)'/,
    say: ([, name, have, want]) => `refused ${name}, which is for Python ${want} and not ${have}; name another by --python`,
  },
  {
    pattern:
      /code (?:ERR_PNPM_)?OUTDATED_LOCKFILE|ERR_PNPM_OUTDATED_LOCKFILE|can only install packages when your package\.json and|lockfile needs to be updated|YN0028/,
    say: () => 'found that the lock does not fit package.json any more; make it anew by an install in that folder',
  },
  {
    pattern: /The lockfile at `?uv\.lock`? needs to be updated/,
    say: () => 'found that uv.lock does not fit pyproject.toml any more; run uv lock',
  },
  {
    pattern: /\b(401|403)\b[^\n]*(?:Client Error|Unauthorized|Forbidden|error)|code E(401|403)/,
    say: ([, first, second]) =>
      `was refused by the index (HTTP ${first ?? second}): give it credentials by ~/.netrc, the index URL or .npmrc`,
  },
  {
    pattern: /Invalid requirement: [`'"]?([^\n]*?)[`'"]?(?: \(from|:|\n|$)/,
    say: ([, line]) => `cannot read the requirement '${line}'; write it as name==1.2, see PEP 508`,
  },
  {
    pattern:
      /NewConnectionError|Failed to establish a new connection|Temporary failure in name resolution|Name or service not known|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ConnectTimeoutError|ReadTimeoutError|error sending request|Connection refused|ConnectionResetError/,
    say: () => `does not reach the index: ${network}`,
  },
  {
    pattern: /No matching distribution found for ([^\n]+)/,
    say: ([all, name]) =>
      `found no ${name?.replace(/ \(from .*$/, '')}${all.includes('Requires-Python') ? ' for this Python' : ''}; look at the name, the version and the index`,
  },
  {
    pattern: /ResolutionImpossible|conflicting dependencies/,
    say: () => 'found no versions that fit together; loosen the ones that it names',
  },
  {
    pattern: /Because ([^\s]+) was not found in the package registry/,
    say: ([, name]) => `found no ${name}; look at the name and the index`,
  },
  { pattern: /No solution found/, say: () => 'found no versions that fit together; loosen the ones that it names' },
  {
    pattern: /(?:code E404|ERR_PNPM_FETCH_404)[^]*?(?:'([^']+)' is not in this registry|GET \S+\/([^\s/:]+))/,
    say: ([, name, other]) =>
      `found no ${name ?? decodeURIComponent(other ?? '')}; look at the name, the version and the registry`,
  },
  {
    pattern: /code ETARGET[^]*?No matching version found for ([^\s]+?)\.?\s/,
    say: ([, name]) => `found no ${name}; look at the version`,
  },
  {
    pattern:
      /unable to execute '?(\S+?)'?: No such file|command '(\S+)' failed: No such file|(?:error: )?(?:linker|compiler) `?(\w+)`? not found|(gcc|cc|c\+\+|g\+\+|make): (?:command )?not found|Unknown compiler\(s\)/,
    say: () =>
      'has to compile something and finds no compiler: apt-get install build-essential python3-dev, or take a version that has a wheel',
  },
  {
    pattern: /Python\.h: No such file/,
    say: () => 'has to compile something and lacks the headers of Python: apt-get install python3-dev',
  },
  {
    pattern: /fatal error: (\S+): No such file/,
    say: ([, header]) => `has to compile something and lacks ${header}: install the package with that header`,
  },
  {
    pattern: /Failed building wheel for (\S+)|Failed to build [`'"]?(\S+?)[`'"]?\s|error: subprocess-exited-with-error|gyp ERR!/,
    say: ([, one, other]) =>
      `failed to build ${one ?? other ?? 'a package'} from source: its last lines say why; a version with a wheel needs no build`,
  },
  {
    pattern: /Could not open requirements file: [^\n]*'([^']+)'/,
    say: ([, file]) => `does not find ${file}, which a requirements file includes`,
  },
];

/** @param lines all that the tool wrote @param log what else it noted @param end its exit code or signal */
export function explainFailure(lines: readonly string[], log: string, end: number | string | null): string {
  const text = `${lines.join('\n')}\n${log}`;
  for (const { pattern, say } of symptoms) {
    const match = pattern.exec(text);
    if (match) return say(match);
  }
  return `failed (${typeof end === 'number' ? `exit code ${end}` : (end ?? 'no exit code')}): ${lines.findLast((line) => /error/i.test(line))?.trim() ?? 'its last lines say why'}`;
}
