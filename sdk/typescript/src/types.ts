// The bodies of the API, by short names. src/openapi.ts is made of api/openapi.yaml: npm run types.

import type { components } from "./openapi.js";

type Schemas = components["schemas"];

export type Artifact = Schemas["Artifact"];
export type Cancelled = Schemas["Cancelled"];
export type Engine = Schemas["Engine"];
export type Execution = Schemas["Execution"];
export type List = Schemas["List"];
export type Output = Schemas["Output"];
export type ProblemBody = Schemas["Problem"];
export type QueueStats = Schemas["QueueStats"];
export type Started = Schemas["Started"];
export type StartRequest = Schemas["StartRequest"];
export type Worker = Schemas["Worker"];

/** One event: `seq` is its number and the cursor, `data` as docs/protocol.md says for each type. */
export interface ExecutionEvent {
  seq: number;
  type: string;
  data: Record<string, unknown>;
}

/** Whatever knows its id. */
export type Ref = string | { execution_id: string };

/** What each call takes. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
}
