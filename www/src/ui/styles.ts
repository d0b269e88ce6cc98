// Styles that several views share.
// Invariant: every control is at least 24 px, shows its focus, and keeps its contrast in both themes.
// Not here: layout of a single view.
import { css } from "lit";

export const shared = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  :host {
    font: 0.9375rem/1.5 var(--pl-font);
    color: var(--pl-ink);
  }
  h1,
  h2,
  h3,
  p,
  ul,
  dl,
  dd {
    margin: 0;
    padding: 0;
  }
  ul {
    list-style: none;
  }
  h2 {
    font-size: 0.8125rem;
    font-weight: 600;
    letter-spacing: 0.01em;
    color: var(--pl-ink-soft);
  }
  .icon {
    display: block;
    flex: none;
    inline-size: 1.25rem;
    block-size: 1.25rem;
  }
  button,
  input,
  select,
  textarea {
    font: inherit;
    color: inherit;
  }
  button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 6px;
    min-block-size: 36px;
    padding: 0 14px;
    border: 1px solid var(--pl-line);
    border-radius: var(--pl-radius);
    background: var(--pl-surface-2);
    font-weight: 550;
    cursor: pointer;
    white-space: nowrap;
    transition:
      background-color var(--pl-fast),
      border-color var(--pl-fast);
  }
  button:hover {
    background: var(--pl-hover);
  }
  button.primary {
    border-color: transparent;
    background: var(--pl-accent);
    color: var(--pl-accent-ink);
  }
  button.primary:hover {
    background: var(--pl-accent-strong);
  }
  button.bare {
    border-color: transparent;
    background: transparent;
  }
  button.bare:hover {
    background: var(--pl-hover);
  }
  button.square {
    inline-size: 36px;
    padding: 0;
  }
  button.small {
    min-block-size: 28px;
    padding: 0 10px;
    font-size: 0.8125rem;
  }
  button.small.square {
    inline-size: 28px;
    padding: 0;
  }
  button.small .icon {
    inline-size: 1rem;
    block-size: 1rem;
  }
  button:disabled {
    opacity: 0.55;
    cursor: default;
  }
  input,
  select {
    min-block-size: 36px;
    min-inline-size: 0;
    padding: 0 10px;
    border: 1px solid var(--pl-line-strong);
    border-radius: var(--pl-radius);
    background: var(--pl-surface-2);
  }
  ::placeholder {
    color: var(--pl-ink-soft);
    opacity: 1;
  }
  :focus-visible {
    outline: 2px solid var(--pl-accent);
    outline-offset: 2px;
  }
  .hidden {
    position: absolute;
    inline-size: 1px;
    block-size: 1px;
    margin: -1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  .mono {
    font-family: var(--pl-mono);
    font-size: 0.8125rem;
  }
  .soft {
    color: var(--pl-ink-soft);
  }
  .clip {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    min-inline-size: 0;
  }
  @media (forced-colors: active) {
    button,
    input,
    select {
      border-color: ButtonBorder;
    }
  }
`;

/** Avatars and thread colours. */
export const threads = css`
  .avatar {
    display: block;
    flex: none;
    border-radius: 28%;
  }
  .hue-0 {
    --hue: var(--pl-hue-0);
  }
  .hue-1 {
    --hue: var(--pl-hue-1);
  }
  .hue-2 {
    --hue: var(--pl-hue-2);
  }
  .hue-3 {
    --hue: var(--pl-hue-3);
  }
  .hue-4 {
    --hue: var(--pl-hue-4);
  }
  .hue-5 {
    --hue: var(--pl-hue-5);
  }
  .hue-6 {
    --hue: var(--pl-hue-6);
  }
  .hue-7 {
    --hue: var(--pl-hue-7);
  }
  .hue-8 {
    --hue: var(--pl-hue-8);
  }
  .hue-9 {
    --hue: var(--pl-hue-9);
  }
  .avatar .ground {
    fill: color-mix(in oklab, var(--hue) 18%, var(--pl-surface-1));
  }
  .avatar .weave {
    fill: var(--hue);
  }
  .author {
    color: var(--hue);
    font-weight: 600;
  }
`;
