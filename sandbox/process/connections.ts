/**
 * What a recorded program is connected to: its input, its output on the way to the sink, and what its init reports. One
 * that this process spawns inherits descriptors; one that a fork server starts opens them by their paths in /proc.
 *
 * The run ends on the program's exit, not on the end of its output, which a grandchild that left the tree could hold
 * open for ever: then the output is read until it is silent, and no longer.
 */
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Sink } from '../sandbox.ts';
import { openInput, openOutput } from './pipes.ts';

/** After the exit, output is read until it is silent for this long, at most `drainMs` in all. */
const silenceMs = 50;
const drainMs = 2000;

export class Connections {
  readonly stdio: StdioOptions;
  readonly #input: Uint8Array | undefined;
  readonly #file: number | undefined;
  readonly #outputs: readonly ReturnType<typeof openOutput>[];
  /** Descriptors that are the program's alone, once it is started. */
  readonly #theirs: readonly number[];
  readonly #open = new Set<Readable>();
  #heardAt = 0;
  /** What came on the descriptor for reports. */
  report = '';

  /** @param reports whether the program has a descriptor for reports, after the standard ones */
  constructor(input: Uint8Array | undefined, reports: boolean) {
    this.#input = input;
    const file = input && openInput(input);
    this.#file = file;
    this.#outputs = [openOutput(), openOutput()];
    this.#theirs = [...(file === undefined ? [] : [file]), ...this.#outputs.flatMap((pipe) => (pipe ? [pipe.theirs] : []))];
    const outputs = this.#outputs.map((pipe) => pipe?.theirs ?? 'pipe');
    this.stdio = [file ?? (input ? 'pipe' : 'ignore'), ...outputs, ...(reports ? ['pipe' as const] : [])];
  }

  /** By what another process opens them, until `release`; undefined where there are none such. */
  get paths(): { readonly stdin: string | null; readonly stdout: string; readonly stderr: string } | undefined {
    const [stdout, stderr] = this.#outputs;
    if (!stdout || !stderr || (this.#input && this.#file === undefined)) return undefined;
    const pathOf = (fd: number): string => `/proc/${process.pid}/fd/${fd}`;
    return {
      stdin: this.#file === undefined ? null : pathOf(this.#file),
      stdout: pathOf(stdout.theirs),
      stderr: pathOf(stderr.theirs),
    };
  }

  /** Brings what comes by the paths to the sink. */
  hear(sink: Sink): void {
    const [stdout, stderr] = this.#outputs;
    this.#listen(stdout?.stream, (chunk) => sink.stdout(chunk));
    this.#listen(stderr?.stream, (chunk) => sink.stderr(chunk));
  }

  /** To be called when the program has them, or needs them no more. */
  release(): void {
    for (const fd of this.#theirs) closeSync(fd);
  }

  /**
   * To be called when the program has been started, in the same tick.
   * @param onReport called when the first report comes
   */
  attach(child: ChildProcess, sink: Sink, onReport: () => void): void {
    this.release();
    // A program need not read its input.
    child.stdin?.on('error', () => {}).end(this.#input);
    const [stdout, stderr] = this.#outputs;
    this.#listen(stdout?.stream ?? child.stdout, (chunk) => sink.stdout(chunk));
    this.#listen(stderr?.stream ?? child.stderr, (chunk) => sink.stderr(chunk));
    this.#listen(child.stdio[3] as Readable | undefined, (chunk) => {
      if (this.report === '') onReport();
      this.report += chunk.toString('latin1');
    });
  }

  /** To be called when it could not be started. */
  discard(): void {
    this.release();
    for (const pipe of this.#outputs) pipe?.stream.destroy();
  }

  /** Resolves when all that the program has written has arrived; to be called after its exit. */
  async drain(): Promise<void> {
    const startedAt = performance.now();
    let silentTicks = 0;
    const timer = setInterval(() => {
      const now = performance.now();
      // Timers go before what has arrived when this process was held up: one tick of silence may be none.
      silentTicks = now - Math.max(this.#heardAt, startedAt) < silenceMs ? 0 : silentTicks + 1;
      if (silentTicks < 2 && now - startedAt < drainMs) return;
      for (const stream of this.#open) stream.destroy();
    }, silenceMs / 2);
    await Promise.all([...this.#open].map((stream) => new Promise((resolve) => stream.once('close', resolve))));
    clearInterval(timer);
  }

  #listen(stream: Readable | null | undefined, hear: (chunk: Buffer) => void): void {
    if (!stream) return;
    this.#open.add(stream);
    stream
      .on('error', () => {})
      .on('data', (chunk: Buffer) => {
        this.#heardAt = performance.now();
        hear(chunk);
      })
      .once('close', () => this.#open.delete(stream));
  }
}
