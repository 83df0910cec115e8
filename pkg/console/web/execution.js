// The page of one execution.
import { html } from './lib.js'
import { Empty, Page } from './ui.js'

/** @param {{id: string}} props */
export function ExecutionPage({ id }) {
  return html`<${Page} title=${id}><${Empty} title="Nothing yet" /><//>`
}
