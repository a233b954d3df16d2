// A heatmap of a histogram's buckets: a row a bucket, the more the brighter.

import { getValueFormat, formattedValueToString } from '@grafana/data';
import { Chart } from './chart.jsx';
import { seriesOf, stepOf } from './data.js';

// From dark to bright, as Grafana's scheme "Oranges" on a dark theme.
const SHADES = ['#3d1a04', '#7f2704', '#a63603', '#d94801', '#f16913', '#fd8d3c', '#fdae6b', '#fdd0a2', '#feedde'];

export function Heatmap({ panel, answers, width, height }) {
  const format = getValueFormat(panel.fieldConfig.defaults.unit);
  const step = stepOf(panel);
  const all = seriesOf(panel, answers)
    .map((frame) => ({ le: Number(frame.fields[1].labels.le.replace('+Inf', 'Infinity')), frame }))
    .sort((a, b) => a.le - b.le);
  const cells = all.map(({ le, frame }, row) => ({ le, counts: less(counts(frame), row > 0 ? counts(all[row - 1].frame) : new Map()) }));
  const filled = cells.map(({ counts }) => [...counts.values()].some((count) => count > 0.01));
  const shown = cells.slice(Math.max(0, filled.indexOf(true) - 1), filled.lastIndexOf(true) + 2);
  const most = Math.max(...shown.flatMap(({ counts }) => [...counts.values()]));
  const labels = shown.map(({ le }) => (Number.isFinite(le) ? formattedValueToString(format(le)) : 'more'));
  const draw = (ctx, x, y, size) => {
    shown.forEach(({ counts }, row) => {
      for (const [time, count] of counts) {
        if (count > 0.01) {
          ctx.fillStyle = SHADES[Math.min(SHADES.length - 1, Math.floor(Math.sqrt(count / most) * SHADES.length))];
          ctx.fillRect(x(time - step), y(row + 1) + 1, x(time) - x(time - step) - 1, size - 2);
        }
      }
    });
  };
  return <Chart answers={answers} width={width} height={height} labels={labels} draw={draw} />;
}

function counts(frame) {
  const [times, values] = frame.fields.map((field) => field.values);
  return new Map(times.map((time, index) => [time, values[index] ?? 0]));
}

function less(own, below) {
  return new Map([...own].map(([time, count]) => [time, count - (below.get(time) ?? 0)]));
}
