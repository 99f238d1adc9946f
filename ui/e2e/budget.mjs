// Initial JavaScript: everything that is loaded before the inbox can be used, gzipped. Fails above the budget.
import { readFileSync, readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const dist = new URL('../dist/', import.meta.url).pathname;
const BUDGET_KB = 130;
const STYLE_BUDGET_KB = 20;
const files = readdirSync(`${dist}assets`);
const seen = new Set();
function take(name) {
  if (seen.has(name)) return;
  seen.add(name);
  const text = readFileSync(`${dist}assets/${name}`, 'utf8');
  for (const match of text.matchAll(/(?:from|import)\s*["']\.\/([\w.-]+\.js)["']/gu)) take(match[1]);
}
const html = readFileSync(`${dist}index.html`, 'utf8');
for (const match of html.matchAll(/assets\/([\w.-]+\.js)/gu)) take(match[1]);
// The shell is loaded at once for a member who is signed in; the Tauri API likewise.
for (const name of files) if (/^(Shell|core|event)-.*\.js$/u.test(name)) take(name);
const kb = (names) => names.reduce((sum, name) => sum + gzipSync(readFileSync(`${dist}assets/${name}`)).length, 0) / 1000;
const raw = [...seen].reduce((sum, name) => sum + readFileSync(`${dist}assets/${name}`).length, 0) / 1000;
const js = kb([...seen]);
const css = kb(files.filter((name) => /^(index|Shell|start)-.*\.css$/u.test(name)));
const mock = files.some((name) => /mock|fixture/u.test(name)) || [...files].some((name) => name.endsWith('.js') && readFileSync(`${dist}assets/${name}`, 'utf8').includes('Ananya'));
console.log(JSON.stringify({ measure: 'initial bundle', js_gz_kb: Math.round(js * 10) / 10, js_raw_kb: Math.round(raw), css_gz_kb: Math.round(css * 10) / 10, budget_gz_kb: BUDGET_KB, demo_engine_inside: mock }));
if (js > BUDGET_KB || css > STYLE_BUDGET_KB || mock) process.exit(1);
