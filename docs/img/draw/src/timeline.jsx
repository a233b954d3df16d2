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
      for (const { from, to, value } of lasting(times, values, step)) {
        ctx.fillStyle = stateOf(panel, value).color;
        ctx.globalAlpha = panel.fieldConfig.defaults.custom.fillOpacity / 100;
        ctx.fillRect(x(from), y(row + 1) + size * 0.08, x(to) - x(from), size * 0.84);
      }
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

// Points in a row that say the same; a gap ends a state.
function lasting(times, values, step) {
  const states = [];
  times.forEach((time, index) => {
    const last = states.at(-1);
    if (last && last.value === values[index] && time <= last.to) {
      last.to = time + step;
    } else {
      states.push({ from: time, to: time + step, value: values[index] });
    }
  });
  return states;
}
