import { html } from './lib.js'
import { Empty, Page } from './ui.js'

export function NewRun() {
  return html`<${Page} title="New run"><${Empty} title="Nothing yet" /><//>`
}
