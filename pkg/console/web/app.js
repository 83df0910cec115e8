// The console: who is logged in sees the page of the address, within the frame that
// all pages share.
import { checkSession, logOut, session, sessionEnds } from './api.js'
import { KeysHelp, openHelp } from './keys.js'
import { html, render, useEffect, useRef, useState } from './lib.js'
import { LogIn } from './login.js'
import { here, route } from './router.js'
import { Empty, Failure, LiveRegion, Loading, LostBanner, Page, Toasts, fetched, toast } from './ui.js'

/** Each page comes when it is gone to. @type {Record<string, () => Promise<(props: {id: string}) => any>>} */
const pages = {
  executions: () => import('./executions.js').then(m => m.Executions),
  execution: () => import('./execution.js').then(m => m.ExecutionPage),
  new: () => import('./newrun.js').then(m => m.NewRun),
  workers: () => import('./workers.js').then(m => m.Workers),
  queue: () => import('./queue.js').then(m => m.Queue),
  engines: () => import('./engines.js').then(m => m.Engines),
  nowhere: async () => Nowhere,
}

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

/** The page of a name; until it has come, the one before stays. @param {{name: string, id: string}} props */
function Shown({ name, id }) {
  const [shown, show] = useState(/** @type {{of: string, id: string, view: any}|null} */ (null))
  const [failed, fail] = useState(/** @type {Error|null} */ (null))
  useEffect(() => {
    let wanted = true
    fail(null)
    fetched(pages[name]).then(view => wanted && show({ of: name, id, view }), () => wanted && fail(new Error('The page could not be loaded. The server may be away, or of a newer version by now.')))
    return () => { wanted = false }
  }, [name, id])
  useEffect(() => { scrollTo(0, 0) }, [shown])
  if (failed) return html`<${Failure} error=${failed} retry=${() => location.reload()} />`
  if (!shown) return html`<${Loading} />`
  return html`<div key=${shown.of + shown.id}><${shown.view} id=${shown.id} /></div>`
}

function App() {
  const { page, id } = route(here.value)
  const state = session.value
  const wasIn = useRef(false)
  if (state === 'in') wasIn.current = true
  if (state === 'unknown') return html`<${LostBanner} /><${Loading} />`
  const out = state === 'out'
  return html`
    ${out && html`<${LogIn} ended=${wasIn.current} />`}
    ${wasIn.current && html`<div hidden=${out}>
      <a class="skip" href="#main">Skip to the page</a>
      <${Header} page=${page} />
      <${LostBanner} />
      <main id="main" tabindex="-1" class="page-${page}"><${Shown} name=${page} id=${id} /></main>
      <${KeysHelp} />
    </div>`}
    <${LiveRegion} /><${Toasts} />`
}

render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById('app')))

// Until the server has said who this is, ask: it may be starting.
const ask = () => checkSession().catch(() => setTimeout(ask, 2000))
ask()
