// The address is the state: every page, filter and choice can be linked to.
import { signal } from './lib.js'

/** The address in the bar. */
export const here = signal(new URL(location.href))

addEventListener('popstate', () => { here.value = new URL(location.href) })

/**
 * Goes to an address of the console.
 * @param {string|URL} to
 * @param {{replace?: boolean}} [options] replace: without a step in the history
 */
export function go(to, { replace = false } = {}) {
  const url = new URL(to, location.href)
  if (url.href === here.value.href) return
  history[replace ? 'replaceState' : 'pushState'](null, '', url)
  here.value = url
}

/**
 * Changes parts of the query; empty values leave it.
 * @param {Record<string, string|undefined>} parts
 * @param {{replace?: boolean}} [options]
 */
export function setQuery(parts, options) {
  const url = new URL(here.value)
  for (const [name, value] of Object.entries(parts)) {
    if (value) url.searchParams.set(name, value)
    else url.searchParams.delete(name)
  }
  go(url, options)
}

/** @param {string} name */
export const query = name => here.value.searchParams.get(name) ?? ''

// Links of the console need no load of the page; all others, and clicks that ask for
// a new tab, are the browser's.
addEventListener('click', e => {
  const a = e.target instanceof Element ? e.target.closest('a') : null
  const href = a?.getAttribute('href')
  if (!a || !href || e.defaultPrevented || e.button || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey || a.target || a.hasAttribute('download')) return
  const url = new URL(href, location.href)
  if (url.origin !== location.origin || !/^\/console(\/|$)/.test(url.pathname) || href.startsWith('#')) return
  e.preventDefault()
  go(url)
})

/**
 * The page of the address: its name and the parts of its path.
 * @param {URL} url
 * @returns {{page: string, id: string}}
 */
export function route(url) {
  const [, , page = '', id = '', more] = url.pathname.split('/')
  if (page === '') return { page: 'executions', id: '' }
  if (page === 'executions' && id && !more) return { page: 'execution', id: decodeURIComponent(id) }
  if (['new', 'workers', 'queue', 'engines'].includes(page) && !id) return { page, id }
  return { page: 'nowhere', id }
}
