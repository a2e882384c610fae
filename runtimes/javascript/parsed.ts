/** A scan by a full parser: for sources with words of which only the syntax tree tells whether they are globals. */
import { type Expression, type ImportAttribute, type Program, parse } from 'acorn';
import { lackOf, watchedNames } from './lacks.ts';
import { type Finding, type Import, metaName, type Scan, withNames } from './scan.ts';
import { type Uses, usesOf } from './uses.ts';

/** @param isInline the source is in no file */
export function scanParsed(source: string, format: 'script' | 'module', isInline: boolean): Scan {
  try {
    const program = parse(source, { ecmaVersion: 'latest', sourceType: format === 'module' ? 'module' : 'commonjs' });
    return scanProgram(source, program, usesOf(program, watchedNames(isInline)));
  } catch (error) {
    return { imports: [], findings: [misread(error)], code: source };
  }
}

function misread(error: unknown): Finding {
  if (error instanceof RangeError) return { what: 'is nested too deeply to be analysed', fatal: false };
  if (!(error instanceof SyntaxError)) throw error;
  const what = `is not understood (${error.message.replace(/ \(\d+:\d+\)$/, '')})`;
  return { ...('pos' in error && { at: Number(error.pos) }), what, fatal: false };
}

function scanProgram(source: string, program: Program, uses: Uses): Scan {
  const findings: Finding[] = [];
  const imports: Import[] = [];
  for (const statement of program.body) {
    if (!('source' in statement) || !statement.source) continue;
    const { start: at, value } = statement.source;
    imports.push({ at, specifier: String(value), dynamic: false });
    if (!areJsonAttributes(statement.attributes))
      findings.push({ at, what: `imports '${value}' with attributes other than json's`, fatal: true });
  }
  for (const { source: argument, options, start: at } of uses.dynamicImports) {
    const specifier = literalText(argument);
    if (specifier === undefined) findings.push({ at, what: 'imports what only its run can tell', fatal: false });
    else if (options && !areJsonOptions(options))
      findings.push({ at, what: `imports '${specifier}' with options other than json's`, fatal: false });
    else imports.push({ at, specifier, dynamic: true });
  }
  for (const { start: at, end } of uses.metas) {
    if (end - at !== metaName.length) findings.push({ at, what: 'spreads import.meta over more than one word', fatal: true });
  }
  for (const { at, path, tested } of uses.free) {
    const what = lackOf(path, tested);
    if (what !== undefined) findings.push({ at, what, fatal: false });
  }
  return { imports, findings, code: withNames(source, uses.dynamicImports, uses.metas) };
}

/** The value of a string literal or of a template without substitutions. */
function literalText(node: Expression): string | undefined {
  if (node.type === 'Literal') return typeof node.value === 'string' ? node.value : undefined;
  if (node.type === 'TemplateLiteral' && node.expressions.length === 0) return node.quasis[0]?.value.cooked ?? undefined;
  return undefined;
}

function areJsonAttributes(attributes: readonly ImportAttribute[]): boolean {
  return attributes.every(
    ({ key, value }) => (key.type === 'Identifier' ? key.name : key.value) === 'type' && value.value === 'json',
  );
}

/** `{ with: { type: 'json' } }`, spelled out. */
function areJsonOptions(node: Expression): boolean {
  const attributes = onlyProperty(node, 'with');
  const type = attributes && onlyProperty(attributes, 'type');
  return type?.type === 'Literal' && type.value === 'json';
}

function onlyProperty(node: Expression, name: string): Expression | undefined {
  const property = node.type === 'ObjectExpression' && node.properties.length === 1 ? node.properties[0] : undefined;
  if (property?.type !== 'Property' || property.computed) return undefined;
  const { key } = property;
  return (key.type === 'Identifier' ? key.name : key.type === 'Literal' && key.value) === name ? property.value : undefined;
}
