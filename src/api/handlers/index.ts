import type { Handlers } from '../operations.ts';
import type { ApiOptions, ApiParts } from '../parts.ts';
import { bundleHandlers } from './bundles.ts';
import { deploymentHandlers } from './deployments.ts';
import { executionHandlers } from './executions.ts';
import { logHandlers } from './logs.ts';
import { secretHandlers } from './secrets.ts';
import { serverHandlers } from './server.ts';

export function handlersOf(parts: ApiParts, options: ApiOptions): Handlers {
  return {
    ...deploymentHandlers(parts),
    ...executionHandlers(parts),
    ...logHandlers(parts),
    ...bundleHandlers(parts, options),
    ...secretHandlers(parts),
    ...serverHandlers(parts),
  };
}
