/**
 * What a parsed file takes from outside: the free names of interest with the members taken of them, and its `import()`
 * and `import.meta`.
 *
 * One walk over the tree keeps a chain of scopes and notes every identifier of interest with the scope that it stands
 * in; after the walk, when all declarations are known (`var` and functions hoist), those are dropped whose name some
 * enclosing scope binds. So a word in a string, a property or a variable of the user's own is not taken for a global.
 * Out of reach stay names that only exist at run time: `eval`, `new Function`, a sloppy function's `this`.
 */
import type { AnyNode, Function as FunctionNode, ImportExpression, MetaProperty, Pattern, Program } from 'acorn';
import { wrapperNames } from './format.ts';
import { globalObjects, unknownMember } from './lacks.ts';
import { boundNames, Scope } from './scope.ts';
import { type Taken, takenOf } from './taken.ts';

export interface Use extends Taken {
  /** Offset in the source. */
  readonly at: number;
}

export interface Uses {
  /** Free names of interest and `import.meta`, in source order. */
  readonly free: readonly Use[];
  readonly dynamicImports: readonly ImportExpression[];
  readonly metas: readonly MetaProperty[];
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
        if (this.#watched.has(node.name)) this.#refer(node, node.name, scope);
        return;
      case 'MetaProperty':
        if (node.meta.name !== 'import') return;
        this.#metas.push(node);
        this.#refer(node, 'import.meta', scope);
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
      default:
        break;
    }
    this.#children(node, this.#scopeInside(node, scope));
  }

  /** The scope of a node's children, with what its head declares. */
  #scopeInside(node: AnyNode, scope: Scope): Scope {
    switch (node.type) {
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
        return this.#functionScope(node, scope);
      case 'ClassDeclaration':
      case 'ClassExpression': {
        const inside = new Scope(scope, false);
        if (node.id) inside.names.add(node.id.name);
        if (node.id && node.type === 'ClassDeclaration') scope.names.add(node.id.name);
        return inside;
      }
      case 'CatchClause': {
        const inside = new Scope(scope, false);
        if (node.param) this.#declare(node.param, inside, 'let');
        return inside;
      }
      case 'StaticBlock':
        return new Scope(scope, true);
      case 'BlockStatement':
      case 'ForStatement':
      case 'ForInStatement':
      case 'ForOfStatement':
      case 'SwitchStatement':
        return new Scope(scope, false);
      default:
        return scope;
    }
  }

  #functionScope(node: FunctionNode, outer: Scope): Scope {
    const scope = new Scope(outer, true);
    if (node.id) (node.type === 'FunctionDeclaration' ? outer : scope).names.add(node.id.name);
    if (node.type !== 'ArrowFunctionExpression') scope.names.add('arguments');
    for (const param of node.params) this.#declare(param, scope, 'let');
    return scope;
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
    for (const name of boundNames(pattern)) {
      // The wrapper has bound the name already, and a `var` starts with node's value.
      const keepsNodesValue = kind === 'var' && this.#isCommonJs && scope.parent === undefined && wrapperNames.includes(name);
      if (!keepsNodesValue) scope.names.add(name);
    }
  }

  #refer(node: AnyNode, name: string, scope: Scope): void {
    const uses = takenOf(node, name, this.#ancestors).map((taken) => ({ at: node.start, ...taken }));
    this.#references.push({ scope, uses });
  }
}

/** `globalThis.process.env` is a use of `process`. */
function throughGlobalObject(use: Use): readonly Use[] {
  const [name = '', member] = use.path;
  if (!globalObjects.includes(name) || member === undefined) return [use];
  if (member === unknownMember) return [{ ...use, tested: false, path: [name] }];
  return throughGlobalObject({ ...use, path: use.path.slice(1) });
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

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}
