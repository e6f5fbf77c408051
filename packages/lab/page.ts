// The report as one page that needs nothing from elsewhere: uPlot and the figures stand in it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { reasons } from '@kubeai/decision';
import type { LabReport } from './report.ts';

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => escapes[character]!);

const colours = [
  '#d62728',
  '#1f77b4',
  '#2ca02c',
  '#9467bd',
  '#8c564b',
  '#e377c2',
  '#7f7f7f',
  '#bcbd22',
  '#17becf',
  '#ff7f0e',
];

/** What runs in the browser; it finds the figures in the page. */
const script = `
const report = JSON.parse(document.getElementById('figures').textContent);
const colours = ${JSON.stringify(colours)};
const colourOf = (index) => colours[index % colours.length];
const widthNow = () => Math.min(1200, document.body.clientWidth);
const width = widthNow();
const minutes = report.contenders[0].asked.map((_, index) => (index + 1) * 60);
const two = (count) => String(count).padStart(2, '0');
const clock = (second) => Math.floor(second / 3600) + ':' + two(Math.floor((second % 3600) / 60));
/** A canvas knows no style sheet. */
const colour = (name) => () => getComputedStyle(document.documentElement).getPropertyValue(name);
const axis = (more) => ({ stroke: colour('--ink'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line'), width: 1 }, ...more });
const plots = [];
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plots.forEach((plot) => plot.redraw(false, true)));
addEventListener('resize', () => plots.forEach((plot) => plot.setSize({ width: widthNow(), height: plot.height })));
/** A reason of the decision, with what it means. */
const meanings = JSON.parse(document.getElementById('meanings').textContent);
const inWords = (why) => (meanings[why.split(' ')[0]] === undefined ? why : why + ': ' + meanings[why.split(' ')[0]]);
const series = (of) => [minutes, ...report.contenders.map(of)];
const draw = (title, of, at) => plots.push(new uPlot({
  title, width, height: 280, scales: { x: { time: false } }, cursor: { sync: { key: 'time' } },
  hooks: { setCursor: [(plot) => tell(plot.cursor.idx)] },
  axes: [axis({ values: (_, ticks) => ticks.map(clock), incrs: [1, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880].map((each) => 60 * each) }), axis({})],
  series: [{ label: 'time', value: (_, second) => second === null ? '' : clock(second) },
    ...report.contenders.map(({ name }, index) => ({ label: name, stroke: colourOf(index), width: index === 0 ? 2 : 1, show: index < 4 }))],
}, series(of), document.getElementById(at)));
const choice = document.getElementById('who');
let told = null;
const tell = (minute) => {
  if (minute === null || minute === undefined || minutes.length === 0) return;
  told = minute;
  const { name, asked, ready, why } = report.contenders[choice.selectedIndex];
  document.getElementById('why').textContent =
    name + ' at ' + clock(minutes[minute]) + ', ' + asked[minute] + ' asked for, ' + ready[minute] + ' serving; ' + inWords(why[minute]);
};
draw('Replicas that serve', (each) => each.ready, 'ready');
draw('Requests in flight', (each) => each.inFlight, 'inFlight');
const hours = [...new Set(report.contenders.flatMap((each) => each.pareto.map((score) => score.gpuHours)))].sort((a, b) => a - b);
const kept = report.contenders.map((each) => each.chosen.attainment);
plots.push(new uPlot({
  title: 'Share within the promise by GPU-hours, over the knob of each', width, height: 320,
  scales: { x: { time: false }, y: { range: [Math.max(0, Math.max(Math.min(0.8, kept[0]), Math.min(...kept)) - 0.02), 1.002] } },
  axes: [axis({ label: 'GPU-hours' }), axis({ size: 70, values: (_, ticks) => ticks.map((share) => (100 * share).toFixed(1) + ' %') })],
  series: [{ label: 'GPU-hours' }, ...report.contenders.map(({ name }, index) => ({ label: name, stroke: colourOf(index), spanGaps: true, points: { show: true, size: 6 } }))],
}, [hours, ...report.contenders.map((each) => hours.map((hour) => each.pareto.find((score) => score.gpuHours === hour)?.attainment ?? null))], document.getElementById('pareto')));
const list = document.getElementById('moments');
const shown = 2000;
const show = () => {
  const { name, moments } = report.contenders[choice.selectedIndex];
  document.getElementById('whose').textContent =
    name + ', ' + moments.length + (moments.length > shown ? ', of which the first ' + shown + ' are shown' : '');
  list.replaceChildren(...moments.slice(0, shown).map(({ at, from, to, why }) => {
    const line = document.createElement('tr');
    for (const text of [clock(at / 1000) + ':' + two(Math.floor(at / 1000) % 60), from + ' → ' + to, inWords(why)]) {
      line.appendChild(document.createElement('td')).textContent = text;
    }
    return line;
  }));
};
choice.addEventListener('change', () => { show(); tell(told); });
show();
tell(0);
`;

/** The whole page as text. */
export function pageOf(report: LabReport, table: string): string {
  const uPlot = dirname(createRequire(import.meta.url).resolve('uplot/package.json'));
  const library = readFileSync(join(uPlot, 'dist/uPlot.iife.min.js'), 'utf8');
  const style = readFileSync(join(uPlot, 'dist/uPlot.min.css'), 'utf8');
  // A closing tag inside the figures would end the script that carries them.
  const data = (value: unknown) => JSON.stringify(value).replaceAll('<', '\\u003c');
  const meanings = Object.fromEntries(Object.entries(reasons).map(([reason, { sentence }]) => [reason, sentence]));
  const names = report.contenders.map(({ name }) => `<option>${escaped(name)}</option>`).join('');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Lab: ${escaped(report.trace)}</title>
<style>${style}
/* Both schemes: a page that is opened at night is no lamp. */
:root { color-scheme: light dark; --ink: #1b2230; --line: #e3e7ee }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf2; --line: #2a3242 } html { background: #10141c } }
body { font: 14px system-ui, sans-serif; margin: 10px; max-width: 1240px; color: var(--ink) }
td { padding: 1px 12px 1px 0; vertical-align: top } td:not(:last-child) { white-space: nowrap }
pre, #list { overflow: auto } #list { max-height: 420px }</style></head><body>
<h1>${escaped(report.trace)}</h1>
<pre>${escaped(table)}</pre>
<p>Why <select id="who">${names}</select>: <span id="why"></span></p>
<p>A click on a name below a chart shows or hides it. Times are hours and minutes of the trace.</p>
<div id="ready"></div><div id="inFlight"></div><div id="pareto"></div>
<h2>Each change of size: <span id="whose"></span></h2>
<div id="list"><table id="moments"></table></div>
<script type="application/json" id="figures">${data(report)}</script>
<script type="application/json" id="meanings">${data(meanings)}</script>
<script>${library}</script><script>${script}</script></body></html>
`;
}
