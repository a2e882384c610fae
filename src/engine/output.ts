/** What one attempt writes: masked into its log, and for a function call to its client too. */
import type { LogEnd, LogWriter } from '../logs/writer.ts';
import type { Stream } from '../model/output-text.ts';
import type { Mask, Masker } from '../secrets/mask.ts';
import type { Call, Live } from './live.ts';
import type { WorkloadSink } from './ports.ts';

const noOutput: LogEnd = { inline: new Uint8Array(), truncated: false };

/** Of a function call's output so much is kept: its client has the rest. */
const keptOfCall = 60_000;

export class Output {
  readonly sink: WorkloadSink;
  readonly #maskers: Readonly<Record<Stream, Masker>> | undefined;
  readonly #openLog: () => LogWriter;
  readonly #call: Call | undefined;
  #writer: LogWriter | undefined;
  #room: number;
  #isCut = false;

  /** @param openLog called once, when there is output */
  constructor({ call }: Live, openLog: () => LogWriter, mask: Mask | undefined) {
    this.#maskers = mask && { stdout: mask.stream(), stderr: mask.stream() };
    this.#openLog = openLog;
    this.#call = call;
    this.#room = call ? keptOfCall : Infinity;
    this.sink = {
      stdout: (chunk) => this.#take('stdout', chunk),
      stderr: (chunk) => this.#take('stderr', chunk),
      ...(call?.sink.head && { head: call.sink.head }),
      ...(call?.sink.body && { body: call.sink.body }),
    };
  }

  /** Lets out what a masker held back as the possible beginning of a secret. */
  flush(): void {
    if (!this.#maskers) return;
    this.#keep('stdout', this.#maskers.stdout.end());
    this.#keep('stderr', this.#maskers.stderr.end());
  }

  /** @param options.files keeps a small log in files too, since no record takes it */
  async end(options: { readonly files?: boolean } = {}): Promise<LogEnd> {
    const end = (await this.#writer?.end(options)) ?? noOutput;
    return { ...end, truncated: this.#isCut || end.truncated };
  }

  #take(stream: Stream, chunk: Uint8Array): void {
    // What a function answers is its client's; what it says beside that may be shown to others.
    if (stream === 'stdout') this.#call?.sink.stdout(chunk);
    this.#keep(stream, this.#maskers ? this.#maskers[stream].write(chunk) : chunk);
  }

  #keep(stream: Stream, chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    if (stream === 'stderr') this.#call?.sink.stderr(chunk);
    const kept = chunk.length > this.#room ? chunk.subarray(0, this.#room) : chunk;
    this.#isCut ||= kept.length < chunk.length;
    this.#room -= kept.length;
    if (kept.length === 0) return;
    this.#writer ??= this.#openLog();
    this.#writer.append(stream, kept);
  }
}
