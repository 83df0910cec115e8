// What every module of the console takes from outside, under one roof.
import { h } from './vendor/preact.mjs'
import htm from './vendor/htm.mjs'

/** html`<p>…</p>` makes elements without a build step. */
export const html = htm.bind(h)

export { Fragment, render } from './vendor/preact.mjs'
export { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from './vendor/hooks.mjs'
export { batch, computed, effect, signal, useComputed, useSignal } from './vendor/signals.mjs'
