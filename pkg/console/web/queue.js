import { html } from './lib.js'
import { Empty, Page } from './ui.js'

export function Queue() {
  return html`<${Page} title="Queue"><${Empty} title="Nothing yet" /><//>`
}
