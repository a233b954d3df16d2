// Time along the bottom with Grafana's own axis, and room above it that a panel fills itself: the panels that
// @grafana/ui has no component for are drawn on this.

import { UPlotChart, UPlotConfigBuilder } from '@grafana/ui';
import { useMemo } from 'react';
import { rangeOf, theme, timeZone } from './data.js';

// `labels` stand along the left, one a row from the bottom, at the row's edge or in its middle; `draw` gets the canvas,
// a function from time to x, one from row to y, and the size of a row.
export function Chart({ answers, width, height, labels, middle, draw }) {
  const range = rangeOf(answers);
  const ends = [range.from.valueOf(), range.to.valueOf()];
  const config = useMemo(() => {
    const builder = new UPlotConfigBuilder(timeZone);
    builder.addScale({ scaleKey: 'x', orientation: 0, direction: 1, isTime: true, range: () => ends });
    builder.addScale({ scaleKey: 'y', orientation: 1, direction: 1, range: () => [0, labels.length] });
    builder.addAxis({ scaleKey: 'x', isTime: true, placement: 'bottom', timeZone, theme, grid: { show: false } });
    const size = 24 + 6.5 * Math.max(...labels.map((label) => label.length));
    const at = labels.map((_, index) => index + (middle ? 0.5 : 1));
    builder.addAxis({ scaleKey: 'y', placement: 'left', theme, grid: { show: false }, splits: at, values: labels, size });
    builder.addSeries({ scaleKey: 'y', pathBuilder: () => null, theme, showPoints: 'never', drawStyle: 'line', lineColor: 'transparent' });
    builder.addHook('draw', (plot) => {
      const { ctx } = plot;
      ctx.save();
      ctx.beginPath();
      ctx.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
      ctx.clip();
      const x = (time) => plot.valToPos(time, 'x', true);
      const y = (row) => plot.valToPos(row, 'y', true);
      draw(ctx, x, y, y(0) - y(1));
      ctx.restore();
    });
    return builder;
  }, []);
  return <UPlotChart data={[ends, [0, 0]]} width={width} height={height} config={config} timeRange={range} />;
}
