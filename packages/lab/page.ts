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
const width = Math.min(1200, document.body.clientWidth - 20);
const minutes = report.contenders[0].asked.map((_, index) => (index + 1) * 60);
const clock = (second) => Math.floor(second / 3600) + ':' + String(Math.floor((second % 3600) / 60)).padStart(2, '0');
/** A reason of the decision, with what it means. */
const meanings = JSON.parse(document.getElementById('meanings').textContent);
const inWords = (why) => (meanings[why.split(' ')[0]] === undefined ? why : why + ': ' + meanings[why.split(' ')[0]]);
const series = (of) => [minutes, ...report.contenders.map(of)];
const draw = (title, of, at) => new uPlot({
  title, width, height: 280, scales: { x: { time: false } }, cursor: { sync: { key: 'time' } },
  hooks: { setCursor: [(plot) => tell(plot.cursor.idx)] },
  axes: [{ values: (_, ticks) => ticks.map(clock), incrs: [1, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880].map((each) => 60 * each) }, {}],
  series: [{ label: 'time', value: (_, second) => second === null ? '' : clock(second) },
    ...report.contenders.map(({ name }, index) => ({ label: name, stroke: colourOf(index), width: index === 0 ? 2 : 1, show: index < 4 }))],
}, series(of), document.getElementById(at));
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
new uPlot({
  title: 'Share within the promise by GPU-hours, over the knob of each', width, height: 320,
  scales: { x: { time: false }, y: { range: [Math.max(0.8, Math.min(...report.contenders.map((each) => each.chosen.attainment)) - 0.02), 1.002] } },
  axes: [{ label: 'GPU-hours' }, { size: 70, values: (_, ticks) => ticks.map((share) => (100 * share).toFixed(1) + ' %') }],
  series: [{ label: 'GPU-hours' }, ...report.contenders.map(({ name }, index) => ({ label: name, stroke: colourOf(index), spanGaps: true, points: { show: true, size: 6 } }))],
}, [hours, ...report.contenders.map((each) => hours.map((hour) => each.pareto.find((score) => score.gpuHours === hour)?.attainment ?? null))], document.getElementById('pareto'));
const list = document.getElementById('moments');
const show = () => {
  list.replaceChildren(...report.contenders[choice.selectedIndex].moments.slice(0, 2000).map(({ at, from, to, why }) => {
    const line = document.createElement('tr');
    for (const text of [new Date(at).toISOString().slice(11, 19) + (at >= 86400000 ? ' +' + Math.floor(at / 86400000) + ' d' : ''), from + ' → ' + to, inWords(why)]) {
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
<html lang="en"><head><meta charset="utf-8"><title>Lab: ${escaped(report.trace)}</title>
<style>${style}
body { font: 14px system-ui, sans-serif; margin: 10px; max-width: 1240px } td { padding: 1px 12px 1px 0 }
#list { max-height: 420px; overflow: auto }</style></head><body>
<h1>${escaped(report.trace)}</h1>
<pre>${escaped(table)}</pre>
<p>Why <select id="who">${names}</select>: <span id="why"></span></p>
<div id="ready"></div><div id="inFlight"></div><div id="pareto"></div>
<h2>Each change of its size</h2>
<div id="list"><table id="moments"></table></div>
<script type="application/json" id="figures">${data(report)}</script>
<script type="application/json" id="meanings">${data(meanings)}</script>
<script>${library}</script><script>${script}</script></body></html>
`;
}
