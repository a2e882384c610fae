/** Bodies that are not JSON, and what all bodies have in common. */
import type { IncomingHttpHeaders } from 'node:http';
import { PrisnError } from '../base/error.ts';
import { formatBytes } from '../base/units.ts';
import { refusal } from './errors.ts';

/** @throws a refusal with 415 for a body that is compressed as a whole */
export function refuseEncoded(headers: IncomingHttpHeaders): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    throw refusal(415, 'usage', `Content-Encoding: ${encoding.slice(0, 40)} is not understood; send the body as it is`);
}

/** @param setting whose value the limit is @throws PrisnError `too_large`, at once where the head tells */
export function limited(
  bytes: AsyncIterable<Uint8Array>,
  headers: IncomingHttpHeaders,
  limit: number,
  setting: string,
): AsyncIterable<Uint8Array> {
  const tooLarge = (): PrisnError =>
    new PrisnError('too_large', `the upload is larger than ${formatBytes(limit)}, the setting ${setting}`);
  if (Number(headers['content-length']) > limit) throw tooLarge();
  return counted();

  async function* counted(): AsyncGenerator<Uint8Array> {
    let length = 0;
    for await (const chunk of bytes) {
      length += chunk.length;
      if (length > limit) throw tooLarge();
      yield chunk;
    }
  }
}
