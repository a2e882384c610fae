/**
 * Idempotency keys: the same request again gives the execution that it made the first time
 * (draft-ietf-httpapi-idempotency-key-header). A claim is written in one batch with the execution, so that neither is ever
 * there without the other.
 */
import { createHash } from 'node:crypto';
import { PrisnError } from '../base/error.ts';
import type { Batch, KeyValue } from './key-value.ts';
import { fromJson, keyOf, lastPart, numberPart, prefixOf, toJson } from './keyspace.ts';

export const claimTtlMs = 24 * 3_600_000;

export interface IdempotentRequest {
  readonly namespace: string;
  /** Who asks: a token's id, or the socket's owner. */
  readonly caller: string;
  /** The `Idempotency-Key` header. */
  readonly key: string;
  /** Hash of the body. */
  readonly bodyHash: string;
}

interface Claim {
  readonly execution_id: string;
  readonly body_hash: string;
  readonly expires_at_ms: number;
}

/** `batch` makes the claim when it is written together with the execution; without one the request was here before. */
export type Claimed = { readonly executionId: string; readonly batch?: Batch };

export class Idempotency {
  readonly #store: KeyValue;

  constructor(store: KeyValue) {
    this.#store = store;
  }

  /**
   * @param executionId the execution that a first request makes
   * @returns that id with the batch that makes the claim, or the id of the earlier request's execution
   * @throws PrisnError `conflict` when the key was used with another body
   */
  async claim(request: IdempotentRequest, executionId: string, nowMs = Date.now()): Promise<Claimed> {
    const hash = createHash('sha256')
      .update(JSON.stringify([request.caller, request.key]))
      .digest('base64url');
    const key = keyOf('claim', request.namespace, hash);
    const stored = await this.#store.get(key);
    const earlier = stored && fromJson<Claim>(stored);
    if (earlier && earlier.expires_at_ms > nowMs) {
      if (earlier.body_hash !== request.bodyHash)
        throw new PrisnError(
          'conflict',
          `Idempotency-Key '${request.key}' was used with another body (${earlier.execution_id}); take a new key for a new request`,
        );
      return { executionId: earlier.execution_id };
    }
    const claim: Claim = { execution_id: executionId, body_hash: request.bodyHash, expires_at_ms: nowMs + claimTtlMs };
    const put = [
      { key, value: toJson(claim) },
      { key: expiryKey(claim.expires_at_ms, request.namespace, hash), value: new Uint8Array() },
    ];
    const expect = [{ key, revision: stored?.revision ?? null }];
    return {
      executionId,
      batch: { expect, put, delete: earlier ? [expiryKey(earlier.expires_at_ms, request.namespace, hash)] : [] },
    };
  }

  /**
   * Deletes expired claims.
   * @returns how many; fewer than `limit` when none is left
   */
  async prune(limit: number, nowMs = Date.now()): Promise<number> {
    const expired: string[] = [];
    const range = {
      prefix: prefixOf('claim-expiry'),
      before: keyOf('claim-expiry', numberPart(nowMs + 1)),
      limit,
      skipDamaged: true,
    };
    for await (const { key } of this.#store.range(range)) expired.push(key);
    const rows = expired.map((key) => {
      const [, , namespace = ''] = key.split('/');
      return keyOf('claim', decodeURIComponent(namespace), lastPart(key));
    });
    const found = await this.#store.getMany(rows, { skipDamaged: true });
    // A key that is claimed again meanwhile is not deleted: then this step fails, and the next one sees it.
    const expect = rows.flatMap((key, i) => (found[i] ? [{ key, revision: found[i].revision }] : []));
    const gone = rows.filter((_, i) => found[i] && fromJson<Claim>(found[i]).expires_at_ms <= nowMs);
    if (expired.length > 0) await this.#store.write({ expect, delete: [...expired, ...gone] }, { durable: false });
    return expired.length;
  }
}

function expiryKey(expiresAtMs: number, namespace: string, hash: string): string {
  return keyOf('claim-expiry', numberPart(expiresAtMs), namespace, hash);
}
