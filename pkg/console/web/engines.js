import { html } from './lib.js'
import { Empty, Page } from './ui.js'

export function Engines() {
  return html`<${Page} title="Engines"><${Empty} title="Nothing yet" /><//>`
}
