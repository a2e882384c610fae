/** Who may do what. Today everybody who reaches the API is its admin; tokens with roles come later. */
export const roles = ['admin', 'developer', 'viewer'] as const;
export type Role = (typeof roles)[number];

/** Who asks: known before a request has any effect. */
export interface Caller {
  /** `owner` for the owner of the socket, `loopback` for TCP of this machine; a token's id later. */
  readonly id: string;
  readonly role: Role;
}

/** Whether a role may do what asks for `needed`. */
export function mayAct(role: Role, needed: Role): boolean {
  return roles.indexOf(role) <= roles.indexOf(needed);
}

/** The namespace of everything that names none. */
export const defaultNamespace = 'default';
