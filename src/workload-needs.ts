/**
 * What the programs of executions need from elsewhere: what is there is found, what is missing is installed before a program
 * starts, or ahead of that. Installers see the program's own environment, and of the daemon's what is meant for them.
 */
import { tailOf } from './environments/failed.ts';
import { PrisnError } from './base/error.ts';
import {
  type DependentProgram,
  packagesOf,
  type PreparesEnvironments,
  type Provide,
  type Surroundings,
  withPython,
} from './dependencies.ts';
import type { Detection } from './model/runtime.ts';
import type { Packages } from '../runtimes/javascript/packages.ts';

/** Variables of the daemon that are for installers: indexes, proxies, certificates. */
const installerNames =
  /^(?:PIP_|UV_|NPM_CONFIG_|YARN_)|^(?:https?|no|all)_proxy$|^(?:SSL_CERT_|REQUESTS_CA_BUNDLE$|NODE_EXTRA_CA_CERTS$)/i;

/** @param name of a variable */
export function steersInstallers(name: string): boolean {
  return installerNames.test(name);
}

export class WorkloadNeeds {
  readonly #environments: PreparesEnvironments | undefined;
  /** What installers of the daemon's own user see too. */
  readonly #installing: Readonly<Record<string, string | undefined>>;

  /**
   * @param environments without them nothing is installed
   * @param env the daemon's own environment
   */
  constructor(environments: PreparesEnvironments | undefined, env: NodeJS.ProcessEnv) {
    this.#environments = environments;
    this.#installing = Object.fromEntries(Object.entries(env).filter(([name]) => steersInstallers(name)));
  }

  /** What is there. */
  readonly find: Provide = async (request) => this.#environments?.find(request);

  /** With the installer's last lines in the message of what failed: there is nobody who has seen them. */
  readonly install: Provide = async (request) => {
    try {
      return await this.#environments?.prepare(request);
    } catch (error) {
      if (!(error instanceof PrisnError)) throw error;
      throw new PrisnError(error.code, [error.message, ...tailOf(error)].join('\n  '), { cause: error });
    }
  };

  /** What cannot be installed an execution tells. */
  readonly installIfPossible: Provide = async (request) => {
    try {
      return await this.#environments?.prepare(request);
    } catch (error) {
      if (error instanceof PrisnError) return undefined;
      throw error;
    }
  };

  /** For a program that will run from another folder. */
  readonly installAhead: Provide = async (request) => this.#environments?.prepareAhead(request);

  /** @param place where the program is looked at @returns the same with what installers see */
  seenByInstallers(place: Surroundings): Surroundings {
    return { ...place, env: { ...(this.#installing as Record<string, string>), ...place.env } };
  }

  /**
   * @param detection what runs the program
   * @returns what runs it with what it needs, and where the packages of one for node are
   * @throws PrisnError as `provide`, and `no_runtime`
   */
  async meet(
    detection: Detection,
    program: DependentProgram,
    place: Surroundings,
    provide: Provide,
  ): Promise<{ readonly detection: Detection; readonly packages?: Packages | undefined }> {
    const needs = [program, {}, this.seenByInstallers(place), provide] as const;
    const { id } = detection.runtime;
    if (id === 'python3') return { detection: (await withPython(detection, ...needs)) ?? detection };
    return id === 'node' ? { detection, packages: await packagesOf(...needs) } : { detection };
  }
}
