/** Holds the program back after a write, as a pipe would that is full: see `gate.ts` of the host. */
import { host } from './host.ts';

/** Taken before the program can replace them. */
const { load, wait } = Atomics;

const closed = 1;

export function pace(gate: SharedArrayBuffer): void {
  const word = new Int32Array(gate);
  const hold = (): void => {
    while (load(word, 0) === closed) wait(word, 0, closed);
  };
  const { write, body } = host;
  host.write = (fd, data) => {
    write(fd, data);
    hold();
  };
  host.body = (data) => {
    body(data);
    hold();
  };
}
