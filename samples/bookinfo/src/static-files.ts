import type { AppResponse } from "./app-server.ts";

const CSS = `
:root { color-scheme: light; --ink: #1d2433; --dim: #5c6780; --line: #dde2ec; --accent: #2456c4; }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: #f5f7fb; }
a { color: var(--accent); }
header { display: flex; align-items: center; justify-content: space-between; gap: 1rem;
  padding: .7rem 1.5rem; background: var(--ink); color: #fff; }
header a { color: #fff; }
.brand { font-weight: 600; text-decoration: none; }
.user { margin: 0; }
.sign-in { position: relative; }
.sign-in summary { cursor: pointer; padding: .3rem .9rem; border: 1px solid #8793ab; border-radius: 6px; list-style: none; }
.sign-in form { position: absolute; right: 0; z-index: 1; display: grid; gap: .6rem; width: 16rem; margin-top: .5rem;
  padding: 1rem; border-radius: 8px; background: #fff; box-shadow: 0 8px 30px #0004; }
input, button { font: inherit; padding: .4rem .6rem; border: 1px solid var(--line); border-radius: 6px; }
button { background: var(--accent); color: #fff; cursor: pointer; }
main { max-width: 68rem; margin: 0 auto; padding: 1.5rem; }
h3 { margin: 0 0 .5rem; font-size: 1.6rem; }
h4 { margin: 0 0 1rem; font-size: 1.15rem; color: var(--accent); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1.5rem; margin-top: 1.5rem; }
.card { padding: 1.3rem 1.5rem; background: #fff; border: 1px solid var(--line); border-radius: 10px; }
dl { display: grid; grid-template-columns: 7rem 1fr; gap: .4rem; margin: 0; }
dt { color: var(--dim); }
dd { margin: 0; }
blockquote { margin: 0 0 1.2rem; padding-left: 1rem; border-left: 3px solid var(--line); }
blockquote p { margin: 0 0 .2rem; }
small, .served-by { color: var(--dim); }
small::before { content: "— "; }
font { display: block; font-size: 1.3rem; letter-spacing: .1em; }
.error { color: #a3261b; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .4rem .6rem; text-align: left; border-bottom: 1px solid var(--line); }
`;

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#2456c4"/><path d="M3 4c2-1 4-1 5 0 1-1 3-1 5 0v8c-2-1-4-1-5 0-1-1-3-1-5 0z" fill="#fff"/></svg>`;

/** What stands under `/static`, by path; the page needs nothing from elsewhere. */
export const STATIC_FILES: Readonly<Record<string, AppResponse>> = {
  "/static/bookinfo.css": staticFile("text/css; charset=utf-8", CSS),
  "/static/icon.svg": staticFile("image/svg+xml", ICON),
};

function staticFile(type: string, body: string): AppResponse {
  return {
    status: 200,
    headers: { "content-type": type, "cache-control": "max-age=3600" },
    body,
  };
}
