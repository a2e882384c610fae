/** Times of calls in an HdrHistogram: constant memory, every percentile within 0.1 % of the value, whatever the range. */
import { build } from 'hdr-histogram-js';

/** Milliseconds. */
export interface LatencySummary {
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p99_9: number;
  readonly max: number;
}

/** One bar of a chart: how many calls took so long. */
export interface Bar {
  readonly fromMs: number;
  readonly toMs: number;
  readonly calls: number;
}

/** 100 ns, so that a call of 50 µs has three digits. */
const unitsPerMs = 10_000;

export class Latencies {
  readonly #histogram = build({ autoResize: true, numberOfSignificantValueDigits: 3, bitBucketSize: 32 });
  /** The histogram's own is of its buckets. */
  #sumMs = 0;

  record(ms: number): void {
    this.#histogram.recordValue(Math.max(1, Math.round(ms * unitsPerMs)));
    this.#sumMs += ms;
  }

  get count(): number {
    return this.#histogram.totalCount;
  }

  /** @param percent 0 … 100 @returns ms; 0 of nothing */
  percentile(percent: number): number {
    return rounded(this.#histogram.getValueAtPercentile(percent) / unitsPerMs);
  }

  /** @returns undefined of nothing */
  summary(): LatencySummary | undefined {
    if (this.count === 0) return undefined;
    const [p50, p90, p95, p99, p99_9, max] = [50, 90, 95, 99, 99.9, 100].map((percent) => this.percentile(percent)) as Six;
    return { min: this.percentile(0), mean: rounded(this.#sumMs / this.count), p50, p90, p95, p99, p99_9, max };
  }

  /**
   * So many bars of equal width from the fastest call to the 99.9th percentile, what took longer in the last; where that is more than
   * thirty times the fastest, each is wider than the one before by the same factor.
   */
  bars(count: number): Bar[] {
    const [low, high] = [this.percentile(0), this.percentile(99.9)];
    const isWide = high > 30 * low;
    const edge = (i: number): number => (isWide ? low * (high / low) ** (i / count) : low + ((high - low) * i) / count);
    let before = 0;
    return Array.from({ length: this.count === 0 ? 0 : count }, (_, i) => {
      const isLast = i === count - 1;
      const upTo = isLast ? this.count : this.#countUpTo(edge(i + 1));
      const bar = { fromMs: edge(i), toMs: isLast ? this.percentile(100) : edge(i + 1), calls: upTo - before };
      before = upTo;
      return bar;
    });
  }

  /** The histogram tells values of ranks only. */
  #countUpTo(ms: number): number {
    let [low, high] = [0, this.count];
    while (low < high) {
      const rank = Math.ceil((low + high) / 2);
      if (this.percentile((100 * rank) / this.count) <= ms) low = rank;
      else high = rank - 1;
    }
    return low;
  }
}

type Six = [number, number, number, number, number, number];

function rounded(ms: number): number {
  return Math.round(ms * unitsPerMs) / unitsPerMs;
}
