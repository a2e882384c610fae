/** What the code around an object takes of it: members, by access or by a pattern, or only whether it is there. */
import type { AnyNode } from 'acorn';
import { unknownMember } from './lacks.ts';

export interface Taken {
  /** The name, then the members taken of it. */
  readonly path: readonly string[];
  /** The last object is only asked whether it is there: `typeof process`. */
  readonly tested: boolean;
}

/**
 * @param node stands for the object
 * @param name what the object is called
 * @param ancestors of the node, its parent last
 */
export function takenOf(node: AnyNode, name: string, ancestors: readonly AnyNode[]): readonly Taken[] {
  const path = [name];
  let outermost = node;
  for (let depth = ancestors.length - 1; depth >= 0; depth--) {
    const parent = ancestors[depth] as AnyNode;
    if (parent.type === 'MemberExpression' && parent.object === outermost) path.push(nameOf(parent.property, parent.computed));
    else if (parent.type !== 'ChainExpression') return takenBy(parent, outermost, path);
    outermost = parent;
  }
  return [{ path, tested: false }];
}

/** Its properties are taken by a pattern, or it is tested, or it goes somewhere. */
function takenBy(parent: AnyNode, node: AnyNode, path: readonly string[]): Taken[] {
  if (parent.type === 'VariableDeclarator' && parent.init === node) return takenByPattern(parent.id, path);
  if (parent.type === 'AssignmentExpression' && parent.right === node) return takenByPattern(parent.left, path);
  if (parent.type === 'BinaryExpression' && parent.operator === 'in' && parent.right === node)
    return [{ path: [...path, nameOf(parent.left, true)], tested: true }];
  return [{ path, tested: isTest(parent, node) }];
}

function takenByPattern(pattern: AnyNode, path: readonly string[]): Taken[] {
  if (pattern.type === 'AssignmentPattern') return takenByPattern(pattern.left, path);
  if (pattern.type !== 'ObjectPattern') return [{ path, tested: false }];
  return pattern.properties.flatMap((property) =>
    property.type === 'RestElement'
      ? [{ path: [...path, unknownMember], tested: false }]
      : takenByPattern(property.value, [...path, nameOf(property.key, property.computed)]),
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

/** The member that a key names: `a.key`, `a['key']`. */
function nameOf(key: AnyNode, isComputed: boolean): string {
  if (!isComputed && key.type === 'Identifier') return key.name;
  return key.type === 'Literal' ? String(key.value) : unknownMember;
}
