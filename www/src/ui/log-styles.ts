// Styles of the message log.
// Invariant: colours and radii come from the tokens in base.css.
// Not here: markup.
import { css } from "lit";

export const logStyles = css`
  :host {
    position: relative;
    display: flex;
    flex-direction: column;
    min-block-size: 0;
  }
  .scroll {
    flex: 1;
    min-block-size: 0;
    overflow-y: auto;
    overscroll-behavior: contain;
    padding: 8px 20px 16px;
    scrollbar-gutter: stable both-edges;
  }
  .list {
    display: flex;
    flex-direction: column;
    max-inline-size: 860px;
    min-block-size: 100%;
    margin-inline: auto;
  }
  .list.some::before {
    content: "";
    flex: 1;
  }
  .rule {
    display: flex;
    align-items: center;
    gap: 12px;
    margin: 20px 0 8px;
    color: var(--pl-ink-soft);
    font-size: 0.8125rem;
    font-weight: 550;
  }
  .rule::before,
  .rule::after {
    content: "";
    flex: 1;
    border-block-start: 1px solid var(--pl-line);
  }
  .rule.new {
    color: var(--pl-accent);
  }
  .rule.new::before,
  .rule.new::after {
    border-color: currentColor;
    opacity: 0.5;
  }
  .message {
    display: grid;
    grid-template-columns: 36px minmax(0, 1fr);
    column-gap: 10px;
    margin-block-start: 3px;
  }
  .message.first {
    margin-block-start: 14px;
  }
  .message > .avatar {
    grid-row: span 2;
  }
  .head {
    grid-column: 2;
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    gap: 0 8px;
    padding-block-end: 3px;
    font-size: 0.875rem;
    line-height: 1.3;
  }
  .head .author {
    min-inline-size: 0;
    overflow-wrap: anywhere;
  }
  .head .author .name + .short {
    color: var(--pl-ink-soft);
    font-weight: 400;
  }
  time {
    color: var(--pl-ink-soft);
    font-size: 0.75rem;
    font-variant-numeric: tabular-nums;
  }
  .body {
    grid-column: 2;
    justify-self: start;
    display: flex;
    align-items: end;
    gap: 8px;
    max-inline-size: min(100%, 62ch);
  }
  /* A span, since white space inside is kept: formatting the template must not add any. */
  .text {
    display: block;
    min-inline-size: 0;
    padding: 7px 12px;
    border-radius: 4px var(--pl-radius-large) var(--pl-radius-large) var(--pl-radius-large);
    background: var(--pl-surface-2);
    box-shadow: 0 0 0 1px var(--pl-line);
    white-space: pre-wrap;
    overflow-wrap: anywhere;
  }
  .message:not(.first) .text {
    border-start-start-radius: var(--pl-radius-large);
  }
  .message[data-own="true"] {
    grid-template-columns: minmax(0, 1fr);
    justify-items: end;
  }
  .message[data-own="true"] .head,
  .message[data-own="true"] .body,
  .message[data-own="true"] .fate {
    grid-column: 1;
    justify-self: end;
  }
  .message[data-own="true"] .body {
    max-inline-size: min(88%, 62ch);
  }
  .message[data-own="true"] .text {
    border-radius: var(--pl-radius-large) 4px var(--pl-radius-large) var(--pl-radius-large);
    background: var(--pl-accent-soft);
    box-shadow: none;
  }
  .message[data-own="true"]:not(.first) .text {
    border-start-end-radius: var(--pl-radius-large);
  }
  .message[data-state="queued"] .text,
  .message[data-state="sending"] .text {
    background: none;
    box-shadow: inset 0 0 0 1px var(--pl-line-strong);
  }
  .message[data-state="failed"] .text {
    background: var(--pl-bad-soft);
  }
  .text a {
    color: var(--pl-accent);
    text-underline-offset: 2px;
  }
  .text a:hover {
    color: var(--pl-accent-strong);
  }
  .tick {
    flex: none;
    display: inline-flex;
    color: var(--pl-ink-soft);
    padding-block-end: 8px;
  }
  .tick .icon {
    inline-size: 0.875rem;
    block-size: 0.875rem;
  }
  .tick.failed {
    color: var(--pl-bad);
  }
  .fate {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: end;
    gap: 6px;
    padding-block: 6px 4px;
    color: var(--pl-bad);
    font-size: 0.8125rem;
    text-align: end;
  }
  .fate button {
    color: var(--pl-ink);
  }
  .earlier {
    align-self: center;
    margin-block: 12px;
  }
  .note {
    align-self: center;
    padding-block: 12px;
    font-size: 0.8125rem;
  }
  .latest {
    position: absolute;
    inset-block-end: 12px;
    inset-inline-end: 24px;
    border-radius: 18px;
    box-shadow: 0 4px 16px var(--pl-shadow);
  }
  .empty {
    display: flex;
    flex-direction: column;
    align-items: center;
    gap: 6px;
    inline-size: min(420px, 100%);
    margin: auto;
    padding: 24px 0;
    text-align: center;
  }
  .empty h3 {
    font-size: 1.25rem;
    font-weight: 650;
    letter-spacing: -0.01em;
    text-wrap: balance;
  }
  .empty svg.loom {
    inline-size: 112px;
    block-size: 84px;
    margin-block-end: 10px;
  }
  .loom .warp {
    stroke: var(--pl-line-strong);
    opacity: 0.55;
  }
  .loom .weft {
    stroke: var(--pl-accent);
  }
  .link {
    display: flex;
    inline-size: 100%;
    gap: 6px;
    margin-block-start: 14px;
  }
  .link input {
    flex: 1;
    text-overflow: ellipsis;
  }
  .empty code {
    display: block;
    inline-size: 100%;
    padding: 8px 10px;
    border-radius: var(--pl-radius);
    background: var(--pl-surface-0);
    text-align: start;
    overflow-wrap: anywhere;
  }
  .empty .soft {
    text-wrap: pretty;
  }
  @media (max-width: 700px) {
    .scroll {
      padding-inline: 12px;
    }
    .message {
      grid-template-columns: 30px minmax(0, 1fr);
      column-gap: 8px;
    }
    .message > .avatar {
      inline-size: 30px;
      block-size: 30px;
    }
  }
`;
