// Styles of the left column.
// Invariant: colours and radii come from the tokens in base.css.
// Not here: markup.
import { css } from "lit";

export const sidebarStyles = css`
  :host {
    display: flex;
    flex-direction: column;
    min-block-size: 0;
    background: var(--pl-surface-0);
  }
  header {
    display: flex;
    align-items: center;
    gap: 10px;
    min-block-size: 64px;
    padding: 0 16px;
    font-size: 1.125rem;
    font-weight: 650;
    letter-spacing: -0.01em;
  }
  header .close {
    margin-inline-start: auto;
  }
  .mark .ground {
    fill: light-dark(#2c4a9a, #30457f);
  }
  .mark .gap {
    stroke: light-dark(#2c4a9a, #30457f);
  }
  .mark .warp {
    stroke: #fff;
  }
  .mark .weft {
    stroke: #f0c987;
  }
  nav {
    flex: 1;
    min-block-size: 0;
    overflow: auto;
    padding: 8px 12px 16px;
  }
  h2 {
    padding: 4px;
  }
  .room {
    inline-size: 100%;
    min-block-size: 40px;
    justify-content: flex-start;
    padding: 0 10px;
    font-weight: 500;
    text-align: start;
  }
  .room .hash {
    color: var(--pl-ink-soft);
    font-weight: 400;
  }
  .room[aria-current="true"] {
    background: var(--pl-accent-soft);
    color: var(--pl-accent-strong);
    font-weight: 600;
  }
  .room[aria-current="true"] .hash {
    color: inherit;
  }
  .room .clip {
    flex: 1;
  }
  .count {
    min-inline-size: 22px;
    padding: 0 6px;
    border-radius: 11px;
    background: var(--pl-accent);
    color: var(--pl-accent-ink);
    font-size: 0.75rem;
    font-weight: 650;
    line-height: 22px;
    text-align: center;
  }
  form {
    display: flex;
    gap: 6px;
    margin-block-start: 12px;
  }
  form input {
    flex: 1;
  }
  .error {
    padding: 6px 4px 0;
    color: var(--pl-bad);
    font-size: 0.8125rem;
  }
  .suggest {
    inline-size: 100%;
    block-size: auto;
    justify-content: flex-start;
    margin-block-start: 8px;
    padding: 8px 10px;
    border-style: dashed;
    border-color: var(--pl-line-strong);
    background: none;
    text-align: start;
    white-space: normal;
  }
  .suggest span {
    display: block;
    min-inline-size: 0;
    overflow-wrap: anywhere;
  }
  .suggest .soft {
    font-size: 0.8125rem;
    font-weight: 400;
    line-height: 1.35;
  }
  footer {
    padding: 14px 16px 16px;
    border-block-start: 1px solid var(--pl-line);
  }
  .me {
    display: flex;
    gap: 10px;
    align-items: center;
  }
  .me > div {
    flex: 1;
    min-inline-size: 0;
  }
  .me input {
    inline-size: 100%;
    min-block-size: 30px;
    margin-inline-start: -7px;
    padding: 0 6px;
    border: 1px dashed transparent;
    border-block-end-color: var(--pl-line-strong);
    border-radius: 0;
    background: transparent;
    font-weight: 600;
  }
  .me input:hover,
  .me input:focus {
    background: var(--pl-surface-2);
  }
  .id {
    display: flex;
    align-items: center;
    gap: 2px;
  }
  .id code {
    display: flex;
    min-inline-size: 0;
    color: var(--pl-ink-soft);
  }
  .id code .tail {
    flex: none;
  }
  .fact {
    display: flex;
    gap: 6px;
    margin-block-start: 8px;
    color: var(--pl-ink-soft);
    font-size: 0.8125rem;
    line-height: 1.4;
  }
  .fact .icon {
    inline-size: 1rem;
    block-size: 1rem;
    margin-block-start: 2px;
  }
  .settings {
    display: grid;
    grid-template-columns: 1fr 1fr auto;
    gap: 6px;
    margin-block-start: 12px;
  }
  select {
    inline-size: 100%;
    padding: 0 6px;
    font-size: 0.875rem;
  }
`;
