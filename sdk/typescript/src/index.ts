export { ended, ExecutionFailed, type Finished, type ListQuery, Longhaul, type Start, type StartOptions, type StreamOptions } from "./client.js";
export type { Options } from "./call.js";
export { LonghaulError, Problem, Unreachable } from "./errors.js";
export { chunkOf } from "./stream.js";
export type * from "./types.js";
export type { components, paths } from "./openapi.js";
