/**
 * Statistics by ranks, for series that are noisy, skewed and remember: what a machine did to one round it also did to the next.
 *
 * The plain tests take samples as independent, and a series that remembers then looks more certain than it is: with a correlation
 * of 0.8 from round to round, 20 rounds tell as much as two. So the variance under the null hypothesis is inflated by what the series
 * itself shows (AR(1): Wilks 2011, 5.2.4), and critical values are of Student's t with as many degrees of freedom as are left.
 */

export interface Interval {
  /** Hodges-Lehmann. */
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

/** The `q` quantile (0 … 1) by linear interpolation (Hyndman and Fan 1996, type 7); NaN of nothing. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  return low + ((sorted[Math.ceil(at)] ?? low) - low) * (at - Math.floor(at));
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/**
 * By how much `after` is higher than `before`: the Hodges-Lehmann shift, and the interval around it that belongs to the Mann-Whitney
 * test (Hollander, Wolfe and Chicken 2014, 4.3).
 * @param before in the order taken, as is `after`
 * @param alpha what both sides together may be wrong
 */
export function shift(before: readonly number[], after: readonly number[], alpha: number): Interval {
  const differences = before.flatMap((a) => after.map((b) => b - a));
  const [m, n] = [before.length, after.length];
  const [memoryBefore, memoryAfter] = [inflation(before), inflation(after)];
  const memory = (memoryBefore / m + memoryAfter / n) / (1 / m + 1 / n);
  const error = standardError(differences, Math.sqrt((m * n * (m + n + 1)) / 12)) * Math.sqrt(memory);
  return around(median(differences), error * studentT(alpha, m / memoryBefore + n / memoryAfter - 2));
}

/**
 * The centre of a series of differences between things that took turns: the Hodges-Lehmann estimate, and the interval around it that
 * belongs to the Wilcoxon signed-rank test (the same, 3.2 and 3.3).
 */
export function centre(differences: readonly number[], alpha: number): Interval {
  const n = differences.length;
  const averages = differences.flatMap((a, i) => differences.slice(i).map((b) => (a + b) / 2));
  const memory = inflation(differences);
  const error = standardError(averages, Math.sqrt((n * (n + 1) * (2 * n + 1)) / 24)) * Math.sqrt(memory);
  return around(median(averages), error * studentT(alpha, n / memory - 1));
}

function around(estimate: number, reach: number): Interval {
  return { estimate, low: estimate - reach, high: estimate + reach };
}

/**
 * Of the median of these values: half of what lies within one standard deviation of the test's statistic to both sides of it. No
 * outlier moves it, and unlike the test's own far ends, which few rounds do not have, it can be widened.
 */
function standardError(values: readonly number[], deviation: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const share = Math.min(0.5, deviation / sorted.length);
  return (quantile(sorted, 0.5 + share) - quantile(sorted, 0.5 - share)) / 2;
}

/** How many times the variance of a mean is what independent samples would give; 1 or more. */
function inflation(series: readonly number[]): number {
  const n = series.length;
  const ranks = ranksOf(series);
  const middle = (n + 1) / 2;
  let own = 0;
  let next = 0;
  for (const [i, rank] of ranks.entries()) {
    own += (rank - middle) ** 2;
    if (i > 0) next += (rank - middle) * ((ranks[i - 1] ?? middle) - middle);
  }
  if (own === 0 || n < 5) return 1;
  // Short series show less of it than there is (Marriott and Pope 1954), and not exactly: more than a standard error is added.
  const shown = (next / own + 1 / n) * (n / (n - 4));
  const correlation = Math.min(0.99, Math.max(0, shown + 1.25 * Math.sqrt(Math.max(0, 1 - shown * shown) / n)));
  return (1 + correlation) / (1 - correlation);
}

/** From 1; equal values share the middle of theirs. */
function ranksOf(series: readonly number[]): number[] {
  const sorted = series.toSorted((a, b) => a - b);
  return series.map((value) => (sorted.indexOf(value) + sorted.lastIndexOf(value)) / 2 + 1);
}

/** The value that Student's t exceeds on either side with probability alpha (Abramowitz and Stegun 26.7.5). */
export function studentT(alpha: number, freedom: number): number {
  const z = normal(alpha / 2);
  const v = Math.max(2, freedom);
  const terms = [
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
    (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / 92_160,
  ];
  return terms.reduce((sum, term, power) => sum + term / v ** (power + 1), z);
}

/** The value that a normal variable exceeds with probability p < 0.5 (Abramowitz and Stegun 26.2.23, error below 0.0005). */
function normal(p: number): number {
  const t = Math.sqrt(-2 * Math.log(p));
  return t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t ** 3);
}
