// One uPlot chart as a component: made once, given new data each second, made anew when the colours or the width change.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';

export interface Series {
  readonly label: string;
  /** Name of a CSS variable, such as `--blue`. */
  readonly color: string;
  readonly style: 'line' | 'target' | 'area' | 'step';
  readonly values: readonly (number | null)[];
}

interface ChartProps {
  readonly title: string;
  readonly unit: string;
  readonly height: number;
  /** Seconds since the epoch. */
  readonly times: readonly number[];
  /** Areas are stacked in this order, the first at the bottom. */
  readonly series: readonly Series[];
}

const colorOf = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function Chart({ title, unit, height, times, series }: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>();
  const shape = series.map(({ label, style }) => `${label}:${style}`).join();
  const data = dataOf(times, series);
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    const element = host.current!;
    const make = () => {
      chart.current?.destroy();
      chart.current = new uPlot(optionsOf(element.clientWidth, height, unit, series), latest.current, element);
    };
    make();
    const resized = new ResizeObserver(() => chart.current?.setSize({ width: element.clientWidth, height }));
    resized.observe(element);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', make);
    return () => {
      resized.disconnect();
      scheme.removeEventListener('change', make);
      chart.current?.destroy();
    };
  }, [shape, unit, height]);
  useEffect(() => chart.current?.setData(data), [data]);

  return (
    <figure class="chart">
      <figcaption>
        <b>{title}</b>
        {series
          .filter(({ style, values }) => style !== 'area' || values.some((value) => (value ?? 0) > 0))
          .map(({ label, color, style, values }) => (
            <span class="key">
              <i class={style} style={`--key: var(${color})`} />
              {label} <em>{shown(values.at(-1), unit)}</em>
            </span>
          ))}
      </figcaption>
      <div ref={host} />
    </figure>
  );
}

export function shown(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined) return '–';
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return `${Number(value.toFixed(digits)).toLocaleString('en')}${unit === '' ? '' : ` ${unit}`}`;
}

const wholeSteps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

function clockTime(second: number): string {
  const text = new Date(second * 1_000).toLocaleTimeString('en-GB');
  return second % 60 === 0 ? text.slice(0, 5) : text;
}

/** Columns for uPlot. Each area is drawn on top of those before it, so the last one is the sum. */
function dataOf(times: readonly number[], series: readonly Series[]): uPlot.AlignedData {
  const sum = times.map(() => 0);
  const columns = series.map(({ style, values }) =>
    style === 'area'
      ? times.map((_, index) => {
          sum[index] += values[index] ?? 0;
          return sum[index];
        })
      : [...values],
  );
  return [[...times], ...columns] as uPlot.AlignedData;
}

function optionsOf(width: number, height: number, unit: string, series: readonly Series[]): uPlot.Options {
  const axis = { stroke: colorOf('--muted'), grid: { stroke: colorOf('--line'), width: 1 }, ticks: { show: false } };
  const stepped = uPlot.paths.stepped!({ align: 1 });
  const areas = series.map(({ style }, index) => (style === 'area' ? index + 1 : 0)).filter((index) => index > 0);
  return {
    width,
    height,
    legend: { show: false },
    cursor: { points: { size: 5 } },
    padding: [8, 8, 0, 0],
    scales: { x: { time: true }, y: { range: (_chart, _low, high) => [0, Math.max(1, high * 1.1)] } },
    axes: [
      { ...axis, size: 26, font: '11px system-ui', space: 70, values: (_chart, ticks) => ticks.map(clockTime) },
      {
        ...axis,
        size: 68,
        font: '11px system-ui',
        space: 34,
        // Replicas and requests come in whole ones.
        ...(unit === '' ? { incrs: wholeSteps } : {}),
        values: (_chart, ticks) => ticks.map((tick) => shown(tick, unit)),
      },
    ],
    series: [
      {},
      ...series.map(({ label, color, style }): uPlot.Series => {
        const stroke = colorOf(color);
        const base = { label, stroke, width: 2, points: { show: false }, spanGaps: false };
        if (style === 'target') return { ...base, width: 1.5, dash: [6, 5], paths: stepped };
        if (style === 'area') return { ...base, width: 1, fill: `${stroke}66`, paths: stepped };
        return style === 'step' ? { ...base, paths: stepped } : base;
      }),
    ],
    // Between two areas the colour is the upper one's; under the lowest it is its own.
    bands: areas
      .slice(1)
      .map((index, nth) => ({ series: [index, areas[nth]!], fill: `${colorOf(series[index - 1]!.color)}66` })),
  };
}
