// The words of the API, as its OpenAPI document has them (make console-types). Only
// the type checker reads this file; no browser does.
import type { components } from 'longhaul-api'

type Schemas = components['schemas']

export type Status = Schemas['Execution']['status']
export type Execution = Schemas['Execution']
export type List = Schemas['List']
export type Output = Schemas['Output']
export type Artifact = Schemas['Artifact']
export type Engine = Schemas['Engine']
export type Engines = Schemas['Engines']
export type QueueStats = Schemas['QueueStats']
export type Worker = Schemas['Worker']
export type Workers = Schemas['Workers']
export type Session = Schemas['Session']
export type Started = Schemas['Started']
export type StartRequest = Schemas['StartRequest']
export type Cancelled = Schemas['Cancelled']
export type ProblemDocument = Schemas['Problem']

/** One event of a stream; docs/protocol.md has the data of each type. */
export interface StreamEvent {
  seq: number
  type: string
  data: any
}
