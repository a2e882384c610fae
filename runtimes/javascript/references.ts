/** What a JavaScript source names of other files: its imports of every kind, and files beside it. */
import { type AnyNode, type Expression, parse, type SpreadElement } from 'acorn';

export interface References {
  readonly found: readonly Reference[];
  /** It also imports what only its run can tell. */
  readonly dynamic: boolean;
}

export interface Reference {
  readonly specifier: string;
  /** `import` takes a URL, `require` a path; `file` is one that is opened, by `new URL('x', import.meta.url)` or as a worker. */
  readonly kind: 'import' | 'require' | 'file';
}

/** @throws SyntaxError for what acorn does not understand */
export function referencesOf(source: string, format: 'script' | 'module'): References {
  const program = parse(source, { ecmaVersion: 'latest', sourceType: format === 'module' ? 'module' : 'commonjs' });
  const found: Reference[] = [];
  const requires = new Set(['require']);
  let dynamic = false;
  const take = (argument: Expression | SpreadElement | undefined, kind: Reference['kind']): void => {
    const specifier = argument && literal(argument);
    if (specifier !== undefined) found.push({ specifier, kind });
    else if (kind !== 'file') dynamic = true;
  };
  // A shadowed `require` counts as well: a file too many does no harm.
  for (const node of nodesOf(program)) {
    if ('source' in node && node.source) take(node.source, 'import');
    else if (node.type === 'VariableDeclarator' && node.id.type === 'Identifier' && isCreateRequire(node.init))
      requires.add(node.id.name);
    else if (node.type === 'CallExpression' && isRequire(node.callee, requires)) take(node.arguments[0], 'require');
    else if (node.type === 'CallExpression' && isMetaResolve(node.callee)) take(node.arguments[0], 'import');
    else if (node.type === 'NewExpression' && node.callee.type === 'Identifier' && ['URL', 'Worker'].includes(node.callee.name))
      take(node.arguments[0], 'file');
  }
  return { found, dynamic };
}

/** Every node, in no order but that a variable comes before what follows it. */
function* nodesOf(root: AnyNode): Generator<AnyNode, undefined> {
  const open: AnyNode[] = [root];
  for (let node = open.pop(); node; node = open.pop()) {
    yield node;
    const inside = Object.values(node).flat().filter(isNode);
    open.push(...inside.toReversed());
  }
  return undefined;
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

function literal(node: AnyNode): string | undefined {
  if (node.type === 'Literal') return typeof node.value === 'string' ? node.value : undefined;
  if (node.type === 'TemplateLiteral' && node.expressions.length === 0) return node.quasis[0]?.value.cooked ?? undefined;
  return undefined;
}

/** `createRequire(…)`, `module.createRequire(…)` */
function isCreateRequire(node: AnyNode | null | undefined): boolean {
  return node?.type === 'CallExpression' && nameOf(node.callee) === 'createRequire';
}

/** `require`, `require.resolve`, `module.require` */
function isRequire(callee: AnyNode, requires: ReadonlySet<string>): boolean {
  if (callee.type === 'Identifier') return requires.has(callee.name);
  if (callee.type !== 'MemberExpression' || callee.object.type !== 'Identifier') return false;
  const member = nameOf(callee);
  return requires.has(callee.object.name) ? member === 'resolve' : callee.object.name === 'module' && member === 'require';
}

function isMetaResolve(callee: AnyNode): boolean {
  return callee.type === 'MemberExpression' && callee.object.type === 'MetaProperty' && nameOf(callee) === 'resolve';
}

function nameOf(node: AnyNode): string | undefined {
  if (node.type === 'Identifier') return node.name;
  return node.type === 'MemberExpression' && !node.computed && node.property.type === 'Identifier'
    ? node.property.name
    : undefined;
}
