/** Where the packages of a program are that has no `node_modules` of its own. Absolute paths. */
export interface Packages {
  /** The folder that has package.json. */
  readonly home: string;
  /** The `node_modules` that was installed for it. */
  readonly modules: string;
}

/** Tells `node-packages.ts`. */
export const packagesVariable = 'PRISN_PACKAGES';
