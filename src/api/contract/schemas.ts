/**
 * What goes into each operation of `routes.ts` and what comes out: the one source of validation, types and OpenAPI. One file a
 * resource has its schemas; here they are one table.
 */
import type { Static, TSchema } from 'typebox';
import { deploymentSchemas } from './deployments.ts';
import { executionSchemas } from './executions.ts';
import { exactly, text } from './forms.ts';
import type { OperationName } from './routes.ts';
import { secretSchemas } from './secrets.ts';
import { serverSchemas } from './server.ts';

export type { ShownDeployment } from './deployments.ts';
export type { ExecutionFields, ShownExecution } from './executions.ts';
export type { ShownSecret } from './secrets.ts';

export interface Schemas {
  readonly params?: TSchema;
  readonly query?: TSchema;
  readonly body?: TSchema;
  /** By HTTP status; what is not JSON has none. */
  readonly reply: Readonly<Record<number, TSchema | null>>;
}

export const schemas = {
  ...deploymentSchemas,
  ...executionSchemas,
  ...secretSchemas,
  ...serverSchemas,
} as const satisfies Record<OperationName, Schemas>;

type Of<Schema> = Schema extends TSchema ? Static<Schema> : undefined;
type Field<Name extends OperationName, Part extends string> = (typeof schemas)[Name] extends {
  readonly [P in Part]: infer Schema;
}
  ? Of<Schema>
  : undefined;
type Replies<Name extends OperationName> = (typeof schemas)[Name]['reply'];

/** What an operation takes. */
export interface Input<Name extends OperationName> {
  readonly params: Field<Name, 'params'>;
  readonly query: Field<Name, 'query'>;
  readonly body: Field<Name, 'body'>;
}

/** What it answers, whatever the status; `undefined` where that is no JSON. */
export type Output<Name extends OperationName> = Of<Replies<Name>[keyof Replies<Name>]>;

/** Of every refusal and failure. */
export const errorBody = exactly(
  {
    error: text('the HTTP status text'),
    code: text('stable'),
    message: text('what happened and what to do'),
  },
  { description: 'A refusal or failure' },
);
export type ErrorBody = Static<typeof errorBody>;
