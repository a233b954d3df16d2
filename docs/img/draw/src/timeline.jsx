// A state timeline: a row a series, a bar for as long as its state lasts.

import { VizLegend } from '@grafana/ui';
import { Chart } from './chart.jsx';
import { seriesOf, stepOf, theme } from './data.js';

const LEGEND = 28;

export function Timeline({ panel, answers, width, height }) {
  const step = stepOf(panel);
  const rows = seriesOf(panel, answers).map((frame) => ({ name: frame.fields[1].state.displayName, frame })).reverse();
  const shown = new Map();
  const draw = (ctx, x, y, size) => {
    rows.forEach(({ frame }, row) => {
      const [times, values] = frame.fields.map((field) => field.values);
      times.forEach((time, index) => {
        ctx.fillStyle = stateOf(panel, values[index]).color;
        ctx.globalAlpha = panel.fieldConfig.defaults.custom.fillOpacity / 100;
        ctx.fillRect(x(time), y(row + 1) + size * 0.08, x(time + step) - x(time) + 0.5, size * 0.84);
      });
    });
  };
  rows.forEach(({ frame }) => frame.fields[1].values.forEach((value) => shown.set(value, stateOf(panel, value))));
  const items = [...shown].sort().map(([, { text, color }]) => ({ label: text, color, yAxis: 1 }));
  return (
    <div>
      <Chart answers={answers} width={width} height={height - LEGEND} labels={rows.map(({ name }) => name)} middle draw={draw} />
      <VizLegend items={items} displayMode="list" placement="bottom" />
    </div>
  );
}

function stateOf(panel, value) {
  const found = panel.fieldConfig.defaults.mappings[0].options[String(value)];
  return { text: found?.text ?? String(value), color: theme.visualization.getColorByName(found?.color ?? 'gray') };
}
