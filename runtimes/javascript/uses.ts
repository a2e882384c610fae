/**
 * What a parsed file takes from outside: the free names of interest with the members taken of them, and its `import()`
 * and `import.meta`.
 *
 * One walk over the tree keeps a chain of scopes and notes every identifier of interest with the scope that it stands
 * in; after the walk, when all declarations are known (`var` and functions hoist), those are dropped whose name some
 * enclosing scope binds. So a word in a string, a property or a variable of the user's own is not taken for a global.
 * Out of reach stay names that only exist at run time: `eval`, `new Function`, a sloppy function's `this`.
 */
import type { AnyNode, ImportExpression, MemberExpression, MetaProperty, Pattern, Program, Property } from 'acorn';
import { wrapperNames } from './format.ts';
import { globalObjects, unknownMember } from './lacks.ts';

export interface Use {
  /** Offset in the source. */
  readonly at: number;
  /** The name, then the members taken of it. */
  readonly path: readonly string[];
  /** The last object is only asked whether it is there: `typeof process`. */
  readonly tested: boolean;
}

export interface Uses {
  /** Free names of interest and `import.meta`, in source order. */
  readonly free: readonly Use[];
  readonly dynamicImports: readonly ImportExpression[];
  readonly metas: readonly MetaProperty[];
}

class Scope {
  readonly names = new Set<string>();
  readonly parent: Scope | undefined;
  /** Whether `var` ends up here. */
  readonly isFunction: boolean;

  constructor(parent: Scope | undefined, isFunction: boolean) {
    this.parent = parent;
    this.isFunction = isFunction;
  }

  binds(name: string): boolean {
    return this.names.has(name) || (this.parent?.binds(name) ?? false);
  }

  get functionScope(): Scope {
    return this.isFunction || !this.parent ? this : this.parent.functionScope;
  }
}

/**
 * @param program a tree of acorn's, parsed as a module or as CommonJS
 * @param watched the names of interest
 */
export function usesOf(program: Program, watched: ReadonlySet<string>): Uses {
  return new Walk(program.sourceType !== 'module', watched).run(program);
}

class Walk {
  readonly #isCommonJs: boolean;
  readonly #watched: ReadonlySet<string>;
  readonly #references: { uses: readonly Use[]; scope: Scope }[] = [];
  readonly #dynamicImports: ImportExpression[] = [];
  readonly #metas: MetaProperty[] = [];
  readonly #ancestors: AnyNode[] = [];

  constructor(isCommonJs: boolean, watched: ReadonlySet<string>) {
    this.#isCommonJs = isCommonJs;
    this.#watched = watched;
  }

  run(program: Program): Uses {
    this.#children(program, new Scope(undefined, true));
    const free = this.#references.flatMap(({ uses, scope }) => uses.filter(({ path }) => !scope.binds(path[0] ?? '')));
    const named = free.flatMap(throughGlobalObject).filter(({ path }) => this.#watched.has(path[0] ?? ''));
    return { free: named, dynamicImports: this.#dynamicImports, metas: this.#metas };
  }

  #visit(node: AnyNode, scope: Scope): void {
    switch (node.type) {
      case 'Identifier':
        if (this.#watched.has(node.name)) this.#refer(node, [node.name], scope);
        return;
      case 'MetaProperty':
        if (node.meta.name !== 'import') return;
        this.#metas.push(node);
        this.#refer(node, ['import.meta'], scope);
        return;
      case 'ImportDeclaration':
        for (const { local } of node.specifiers) scope.names.add(local.name);
        return;
      case 'ImportExpression':
        this.#dynamicImports.push(node);
        break;
      case 'VariableDeclaration':
        for (const { id } of node.declarations) this.#declare(id, node.kind === 'var' ? scope.functionScope : scope, node.kind);
        break;
      case 'ClassDeclaration':
      case 'ClassExpression':
        if (node.type === 'ClassDeclaration' && node.id) scope.names.add(node.id.name);
        scope = new Scope(scope, false);
        if (node.id) scope.names.add(node.id.name);
        break;
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
        return this.#function(node, scope);
      case 'CatchClause':
        scope = new Scope(scope, false);
        if (node.param) this.#declare(node.param, scope, 'let');
        break;
      case 'StaticBlock':
        scope = new Scope(scope, true);
        break;
      case 'BlockStatement':
      case 'ForStatement':
      case 'ForInStatement':
      case 'ForOfStatement':
      case 'SwitchStatement':
        scope = new Scope(scope, false);
        break;
      default:
        break;
    }
    this.#children(node, scope);
  }

  #function(
    node: AnyNode & { type: 'FunctionDeclaration' | 'FunctionExpression' | 'ArrowFunctionExpression' },
    outer: Scope,
  ): void {
    const scope = new Scope(outer, true);
    if (node.id) (node.type === 'FunctionDeclaration' ? outer : scope).names.add(node.id.name);
    if (node.type !== 'ArrowFunctionExpression') scope.names.add('arguments');
    for (const param of node.params) this.#declare(param, scope, 'let');
    this.#children(node, scope);
  }

  #children(node: AnyNode, scope: Scope): void {
    this.#ancestors.push(node);
    for (const key of Object.keys(node)) {
      if (isNameOnly(node, key)) continue;
      const value: unknown = node[key as keyof typeof node];
      if (Array.isArray(value)) {
        for (const item of value) if (isNode(item)) this.#visit(item, scope);
      } else if (isNode(value)) this.#visit(value, scope);
    }
    this.#ancestors.pop();
  }

  #declare(pattern: Pattern, scope: Scope, kind: string): void {
    for (const name of namesOf(pattern)) {
      // The wrapper has bound the name already, and a `var` starts with node's value.
      const keepsNodesValue = kind === 'var' && this.#isCommonJs && scope.parent === undefined && wrapperNames.includes(name);
      if (!keepsNodesValue) scope.names.add(name);
    }
  }

  /** Notes a use with the members that are taken of it, which stand further out in the tree. */
  #refer(node: AnyNode, path: readonly string[], scope: Scope): void {
    const members = [...path];
    let outermost: AnyNode = node;
    let depth = this.#ancestors.length - 1;
    for (; depth >= 0; depth--) {
      const parent = this.#ancestors[depth] as AnyNode;
      if (parent.type === 'MemberExpression' && parent.object === outermost) members.push(memberName(parent));
      else if (parent.type !== 'ChainExpression') break;
      outermost = parent;
    }
    const parent = this.#ancestors[depth];
    const uses = parent ? paths(parent, outermost, members) : [{ path: members, tested: false }];
    this.#references.push({ scope, uses: uses.map((use) => ({ at: node.start, ...use })) });
  }
}

/** What becomes of an object: its properties are taken by a pattern, or it is tested, or it goes somewhere. */
function paths(parent: AnyNode, node: AnyNode, path: readonly string[]): Omit<Use, 'at'>[] {
  if (parent.type === 'VariableDeclarator' && parent.init === node) return patternPaths(parent.id, path);
  if (parent.type === 'AssignmentExpression' && parent.right === node) return patternPaths(parent.left, path);
  if (parent.type === 'BinaryExpression' && parent.operator === 'in' && parent.right === node) {
    const { left } = parent;
    return [{ path: [...path, left.type === 'Literal' ? String(left.value) : unknownMember], tested: true }];
  }
  return [{ path, tested: isTest(parent, node) }];
}

function patternPaths(pattern: AnyNode, path: readonly string[]): Omit<Use, 'at'>[] {
  if (pattern.type === 'AssignmentPattern') return patternPaths(pattern.left, path);
  if (pattern.type !== 'ObjectPattern') return [{ path, tested: false }];
  return pattern.properties.flatMap((property) =>
    property.type === 'RestElement'
      ? [{ path: [...path, unknownMember], tested: false }]
      : patternPaths(property.value, [...path, keyName(property)]),
  );
}

function isTest(parent: AnyNode, node: AnyNode): boolean {
  switch (parent.type) {
    case 'UnaryExpression':
      return parent.operator === 'typeof' || parent.operator === '!';
    case 'BinaryExpression':
      return ['==', '!=', '===', '!==', 'instanceof'].includes(parent.operator);
    case 'LogicalExpression':
      return parent.operator === '&&' && parent.left === node;
    case 'IfStatement':
    case 'ConditionalExpression':
      return parent.test === node;
    default:
      return false;
  }
}

/** `globalThis.process.env` is a use of `process`. */
function throughGlobalObject(use: Use): readonly Use[] {
  const [name = '', member] = use.path;
  if (!globalObjects.includes(name) || member === undefined) return [use];
  if (member === unknownMember) return [{ ...use, tested: false, path: [name] }];
  return throughGlobalObject({ ...use, path: use.path.slice(1) });
}

function memberName({ computed, property }: MemberExpression): string {
  if (!computed && property.type === 'Identifier') return property.name;
  return property.type === 'Literal' ? String(property.value) : unknownMember;
}

function keyName({ computed, key }: Pick<Property, 'computed' | 'key'>): string {
  if (!computed && key.type === 'Identifier') return key.name;
  return key.type === 'Literal' ? String(key.value) : unknownMember;
}

/** Whether a child is a mere name there: of a member, a property, a label, an export. */
function isNameOnly(node: AnyNode, key: string): boolean {
  switch (node.type) {
    case 'MemberExpression':
      return key === 'property' && !node.computed;
    case 'Property':
    case 'PropertyDefinition':
    case 'MethodDefinition':
      return key === 'key' && !node.computed;
    case 'LabeledStatement':
    case 'BreakStatement':
    case 'ContinueStatement':
      return key === 'label';
    case 'ExportNamedDeclaration':
      return key === 'specifiers';
    case 'ExportAllDeclaration':
      return true;
    default:
      return false;
  }
}

function namesOf(pattern: Pattern): string[] {
  switch (pattern.type) {
    case 'Identifier':
      return [pattern.name];
    case 'ObjectPattern':
      return pattern.properties.flatMap((property) =>
        namesOf(property.type === 'RestElement' ? property.argument : property.value),
      );
    case 'ArrayPattern':
      return pattern.elements.flatMap((element) => (element ? namesOf(element) : []));
    case 'RestElement':
      return namesOf(pattern.argument);
    case 'AssignmentPattern':
      return namesOf(pattern.left);
    case 'MemberExpression':
      return [];
  }
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}
