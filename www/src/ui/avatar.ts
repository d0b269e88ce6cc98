// Draws the picture of a PeerId and a name with its short id.
// Invariant: names are text nodes inside <bdi>; the id stands beside every name.
// Not here: how a picture follows from an id; see identicon.ts.
import { html, svg, type SVGTemplateResult, type TemplateResult } from "lit";
import { identicon } from "../identicon.ts";
import { shortId } from "../text.ts";

interface Drawn {
  readonly hue: number;
  readonly path: string;
}

const drawn = new Map<string, Drawn>();
const DRAWN_MAX = 2_000;

function draw(id: string): Drawn {
  const known = drawn.get(id);
  if (known) return known;
  const { hue, cells } = identicon(id);
  const path = cells
    .flatMap((row, y) => row.map((on, x) => (on ? `M${x + 1.5} ${y + 1.5}h1v1h-1z` : "")))
    .join("");
  const made = { hue, path };
  if (drawn.size >= DRAWN_MAX) drawn.clear();
  drawn.set(id, made);
  return made;
}

/** The class that carries an id's colour. */
export const hueClass = (id: string): string => `hue-${draw(id).hue}`;

/** The picture. */
export function avatar(id: string, size: number): SVGTemplateResult {
  const { hue, path } = draw(id);
  return svg`<svg class="avatar hue-${hue}" viewBox="0 0 8 8" width=${size} height=${size} aria-hidden="true">
    <rect class="ground" width="8" height="8"/><path class="weave" d=${path}/></svg>`;
}

/** A chosen name, and always the end of the id, since names are not unique. */
export function who(id: string, name: string | null): TemplateResult {
  const short = html`<span class="mono short" title=${id}>${shortId(id)}</span>`;
  return name === null ? short : html`<bdi class="name">${name}</bdi> ${short}`;
}
