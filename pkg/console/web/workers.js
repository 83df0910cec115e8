import { html } from './lib.js'
import { Empty, Page } from './ui.js'

export function Workers() {
  return html`<${Page} title="Workers"><${Empty} title="Nothing yet" /><//>`
}
