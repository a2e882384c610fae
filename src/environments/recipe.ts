import type { Run } from './tool.ts';

/** How an environment is made, and what it is known by. */
export interface Recipe {
  /** Names what it makes, for good: 32 hexadecimal digits. */
  readonly key: string;
  /** Whether it is of use in the folder of its manifest only. */
  readonly isTied: boolean;
  /** For people: `requirements.txt`, `x.py (# /// script)`. */
  readonly title: string;
  /** Absolute path of the file that asked for it first. */
  readonly source: string;
  readonly form: string;
  /** Such as `Python 3.11.7`. */
  readonly interpreter: string;
  /** Path in the folder of something without which it is of no use. */
  readonly proof: string;
  /** Fills a folder, which exists and keeps its path. @throws PrisnError `dependency` */
  readonly build: (folder: string, run: Run) => Promise<void>;
}
