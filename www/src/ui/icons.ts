// The page's icons: 20 by 20, drawn with the current colour.
// Invariant: an icon never stands alone; a word beside it or a label says the same.
// Not here: avatars.
import { svg, type SVGTemplateResult } from "lit";

const icon = (body: SVGTemplateResult): SVGTemplateResult =>
  svg`<svg class="icon" viewBox="0 0 20 20" width="20" height="20" fill="none" stroke="currentColor"
    stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${body}</svg>`;

export const icons = {
  menu: icon(svg`<path d="M3.5 5.500h13M3.5 10h13M3.5 14.500h13"/>`),
  panel: icon(
    svg`<circle cx="7.5" cy="7" r="2.7"/><path d="M2.5 16c.4-3 2.3-4.5 5-4.500s4.6 1.5 5 4.500M13 4.600a2.6 2.6 0 0 1 0 4.900M15 12c1.5.6 2.3 2 2.5 4"/>`,
  ),
  close: icon(svg`<path d="m5 5 10 10M15 5 5 15"/>`),
  send: icon(svg`<path d="M10 16V4M5 9l5-5 5 5"/>`),
  copy: icon(
    svg`<rect x="7" y="7" width="9.5" height="9.5" rx="2"/><path d="M13 7V5.500a2 2 0 0 0-2-2H5.500a2 2 0 0 0-2 2V11a2 2 0 0 0 2 2H7"/>`,
  ),
  link: icon(
    svg`<path d="M8.5 11.5a3 3 0 0 0 4.2 0l2.9-2.9a3 3 0 0 0-4.2-4.2l-.9.9M11.5 8.5a3 3 0 0 0-4.2 0l-2.9 2.9a3 3 0 0 0 4.2 4.2l.9-.9"/>`,
  ),
  check: icon(svg`<path d="m4 10.5 4 4 8-9"/>`),
  clock: icon(svg`<circle cx="10" cy="10" r="6.8"/><path d="M10 6v4l2.7 1.8"/>`),
  warn: icon(svg`<path d="M10 3.2 17.5 16h-15zM10 8.200v3.600M10 13.900v.1"/>`),
  leave: icon(
    svg`<path d="M8 3.500H5a1.5 1.5 0 0 0-1.5 1.500v10A1.5 1.5 0 0 0 5 16.500h3M8.5 10h8M13.5 7l3 3-3 3"/>`,
  ),
  down: icon(svg`<path d="M10 4v12M5 11l5 5 5-5"/>`),
  retry: icon(svg`<path d="M16 10a6 6 0 1 1-1.8-4.300M16 3v3.200h-3.2"/>`),
  external: icon(svg`<path d="M8 5H5v10h10v-3M11 4h5v5M16 4l-7 7"/>`),
  lock: icon(
    svg`<rect x="4" y="9" width="12" height="8" rx="2"/><path d="M6.5 9V6.500a3.5 3.500 0 0 1 7 0V9"/>`,
  ),
  key: icon(svg`<circle cx="7" cy="13" r="3"/><path d="m9.2 10.8 6.3-6.300M13 7l2 2"/>`),
  keyboard: icon(
    svg`<rect x="2.5" y="5" width="15" height="10" rx="2"/><path d="M5.5 8.200h.1M8.5 8.200h.1M11.5 8.200h.1M14.5 8.200h.1M7 11.800h6"/>`,
  ),
  native: icon(
    svg`<rect x="3" y="4" width="14" height="5" rx="1.5"/><rect x="3" y="11" width="14" height="5" rx="1.5"/><path d="M6 6.500h.1M6 13.500h.1"/>`,
  ),
  browser: icon(svg`<rect x="2.8" y="4" width="14.4" height="12" rx="2"/><path d="M2.8 8h14.400M5.5 6h.1"/>`),
  other: icon(svg`<path d="M10 3 16.5 6.500v7L10 17l-6.5-3.500v-7zM3.5 6.5 10 10l6.5-3.500M10 10v7"/>`),
  // Paths differ in shape, not only in colour: one line, a dashed line over a stop, a net.
  direct: icon(svg`<circle cx="3.8" cy="10" r="2"/><circle cx="16.2" cy="10" r="2"/><path d="M6 10h8"/>`),
  relayed: icon(
    svg`<circle cx="3.8" cy="14" r="2"/><circle cx="16.2" cy="14" r="2"/><path d="m7.8 4.5 2.2-2 2.2 2-2.2 2z"/><path stroke-dasharray="1.8 2.6" d="M5 12l3.5-5M15 12l-3.5-5"/>`,
  ),
  others: icon(
    svg`<circle cx="3.8" cy="15" r="1.8"/><circle cx="16.2" cy="15" r="1.8"/><circle cx="6" cy="5" r="1.8"/><circle cx="14.5" cy="6" r="1.8"/><path d="m4.2 13.2 1.4-6.400M7.8 5.200l4.9.6M14.9 7.800l1 5.400M5.4 14l7.7-6.8"/>`,
  ),
};

/** The mark: two threads across two threads. */
export const mark = svg`<svg class="mark" viewBox="0 0 32 32" width="30" height="30" aria-hidden="true">
  <rect class="ground" width="32" height="32" rx="8"/>
  <g fill="none" stroke-linecap="round" stroke-width="4">
    <path class="warp" d="M11 6v20"/>
    <path class="weft" d="M6 11h20M6 21h20"/>
    <path class="gap" stroke-width="7" stroke-linecap="butt" d="M11 18v6M21 8v6"/>
    <path class="warp" d="M21 6v20M11 17.500v8.5"/>
    <path class="gap" stroke-width="7" stroke-linecap="butt" d="M18 21h6"/>
    <path class="weft" d="M17.5 21h8.5"/>
  </g>
</svg>`;
