/** `console.table` (https://console.spec.whatwg.org/#table) in node's form. */
import { inspect, internalBinding, renderTable, types } from './inspect.ts';
import { invalidArgument } from './arguments.ts';

type Cells = readonly string[];

/**
 * The text that `console.table(data, columns)` prints: a table for an object, an array, a Map, a Set or an iterator of
 * these; any other value is returned as it is, to be printed as it is.
 * @throws {TypeError} when `columns` is not an array
 */
export function tableOf(data: unknown, columns: unknown, options: object): unknown {
  if (columns !== undefined && !Array.isArray(columns)) throw invalidArgument('properties', 'an instance of Array', columns);
  if (data === null || typeof data !== 'object') return data;
  const cell = (value: unknown) =>
    inspect(value, { depth: cellDepth(value), maxArrayLength: 3, breakLength: Infinity, ...options });
  const list = iteration(data);
  return list
    ? iterationTable(list, cell)
    : objectTable(data as Record<string, unknown>, columns as readonly string[] | undefined, cell);
}

/** Large objects are only named in a cell, arrays and small objects are shown. */
function cellDepth(value: unknown): number {
  const large =
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !types.isTypedArray(value) &&
    Object.keys(value).length > 2;
  return large ? -1 : 0;
}

interface Iteration {
  readonly keys?: readonly unknown[];
  readonly values: readonly unknown[];
}

function iteration(data: object): Iteration | undefined {
  if (types.isMap(data))
    return { keys: [...(data as Map<unknown, unknown>).keys()], values: [...(data as Map<unknown, unknown>).values()] };
  if (types.isSet(data)) return { values: [...(data as Set<unknown>)] };
  if (!types.isMapIterator(data) && !types.isSetIterator(data)) return undefined;
  const { previewEntries } = internalBinding('util') as { previewEntries(value: object, describe: true): [unknown[], boolean] };
  const [entries, paired] = previewEntries(data, true);
  if (!paired) return { values: entries };
  if (types.isSetIterator(data)) return { values: entries };
  return { keys: entries.filter((_, index) => index % 2 === 0), values: entries.filter((_, index) => index % 2 === 1) };
}

function iterationTable({ keys, values }: Iteration, cell: (value: unknown) => string): string {
  const head = ['(iteration index)', ...(keys ? ['Key'] : []), 'Values'];
  const columns: Cells[] = [values.map((_, index) => cell(index)), ...(keys ? [keys.map(cell)] : []), values.map(cell)];
  return renderTable(head, columns);
}

/** A row a property of `data`; a column a property of the rows, and one for rows that are no objects. */
function objectTable(
  data: Record<string, unknown>,
  wanted: readonly string[] | undefined,
  cell: (value: unknown) => string,
): string {
  const rows = Object.keys(data);
  const columns: Record<string, string[]> = Object.create(null);
  const values: string[] = [];
  for (const [index, row] of rows.entries()) {
    const item = data[row];
    const primitive = item === null || (typeof item !== 'object' && typeof item !== 'function');
    if (primitive && !wanted) {
      values[index] = cell(item);
      continue;
    }
    for (const key of wanted ?? Object.keys(item as object)) {
      const column = (columns[key] ??= []);
      column[index] = primitive || !Object.hasOwn(item, key) ? '' : cell((item as Record<string, unknown>)[key]);
    }
  }
  const head = ['(index)', ...Object.keys(columns), ...(values.length > 0 ? ['Values'] : [])];
  return renderTable(head, [rows, ...Object.values(columns), ...(values.length > 0 ? [values] : [])]);
}
