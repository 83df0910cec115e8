// The console: who is logged in sees the page of the address, within the frame that
// all pages share.
import { checkSession, logOut, session, sessionEnds } from './api.js'
import { Engines } from './engines.js'
import { ExecutionPage } from './execution.js'
import { Executions } from './executions.js'
import { KeysHelp, openHelp } from './keys.js'
import { html, render, useEffect, useRef } from './lib.js'
import { LogIn } from './login.js'
import { NewRun } from './newrun.js'
import { Queue } from './queue.js'
import { here, route } from './router.js'
import { Empty, LiveRegion, Loading, LostBanner, Page, Toasts, toast } from './ui.js'
import { Workers } from './workers.js'

const pages = /** @type {Record<string, (props: {id: string}) => any>} */ ({
  executions: Executions, execution: ExecutionPage, new: NewRun, workers: Workers, queue: Queue, engines: Engines, nowhere: Nowhere,
})

const menu = [['executions', 'Executions', '/console/'], ['queue', 'Queue', '/console/queue'], ['workers', 'Workers', '/console/workers'], ['engines', 'Engines', '/console/engines']]

function Nowhere() {
  return html`<${Page} title="Nothing here"><${Empty} title="There is no such page"><p><a href="/console/">All executions</a></p><//><//>`
}

/** @param {{page: string}} props */
const Header = ({ page }) => html`
  <header class="top">
    <a class="brand" href="/console/"><svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7" /><path d="M7 11h9M7 16h18M7 21h13" /></svg>Longhaul</a>
    <nav aria-label="Main">${menu.map(([name, label, href]) => html`
      <a key=${name} href=${href} aria-current=${page === name || (page === 'execution' && name === 'executions') ? 'page' : undefined}>${label}</a>`)}</nav>
    <div class="top-end">
      <a class="button primary" href="/console/new">New run</a>
      <button class="quiet keys-button" title="Keys (?)" aria-label="Keys" onClick=${openHelp}>?</button>
      ${sessionEnds.value && html`<button class="quiet" onClick=${() => logOut().catch(err => toast(err.message, { kind: 'bad' }))}>Log out</button>`}
    </div>
  </header>`

function App() {
  const { page, id } = route(here.value)
  const state = session.value
  const wasIn = useRef(false)
  if (state === 'in') wasIn.current = true
  useEffect(() => { scrollTo(0, 0) }, [page, id])
  if (state === 'unknown') return html`<${LostBanner} /><${Loading} />`
  const Shown = pages[page]
  const out = state === 'out'
  return html`
    ${out && html`<${LogIn} ended=${wasIn.current} />`}
    ${wasIn.current && html`<div hidden=${out}>
      <a class="skip" href="#main">Skip to the page</a>
      <${Header} page=${page} />
      <${LostBanner} />
      <main id="main" tabindex="-1" class="page-${page}"><${Shown} id=${id} key=${page + id} /></main>
      <${KeysHelp} />
    </div>`}
    <${LiveRegion} /><${Toasts} />`
}

render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById('app')))

// Until the server has said who this is, ask: it may be starting.
const ask = () => checkSession().catch(() => setTimeout(ask, 2000))
ask()
