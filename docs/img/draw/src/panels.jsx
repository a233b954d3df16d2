// A panel's inside, by its type.

import { BarGauge, BigValue, Table, TimeSeries } from '@grafana/ui';
import { useEffect, useState } from 'react';
import { Heatmap } from './heatmap.jsx';
import { Timeline } from './timeline.jsx';
import { rangeOf, seriesOf, tableOf, theme, timeZone } from './data.js';

const KINDS = { stat: Stat, timeseries: Lines, table: Rows, bargauge: Bars, 'state-timeline': Timeline, heatmap: Heatmap };

export function Inside(props) {
  const Kind = KINDS[props.panel.type];
  const empty = props.panel.targets.every((query) => query.result.length === 0);
  return empty ? <Nothing {...props} /> : <Kind {...props} />;
}

function Nothing({ width, height }) {
  const style = { width, height, display: 'grid', placeItems: 'center', color: theme.colors.text.secondary };
  return <div style={style}>No data</div>;
}

function Lines({ panel, answers, width, height }) {
  const frames = seriesOf(panel, answers).filter((frame) => frame.fields[1].values.some((value) => value !== null));
  if (frames.length === 0) {
    return <Nothing width={width} height={height} />;
  }
  return (
    <TimeSeries
      frames={frames}
      timeRange={rangeOf(answers)}
      timeZone={timeZone}
      width={width}
      height={height}
      legend={panel.options.legend}
      structureRev={1}
    />
  );
}

function Stat({ panel, answers, width, height }) {
  const fields = seriesOf(panel, answers).map((frame) => frame.fields[1]);
  const each = width / fields.length;
  return (
    <div style={{ display: 'flex' }}>
      {fields.map((field, index) => (
        <BigValue
          key={index}
          value={{ ...field.display(field.values.at(-1)), title: fields.length > 1 ? field.state.displayName : undefined }}
          width={each}
          height={height}
          colorMode={panel.options.colorMode}
          graphMode="none"
          justifyMode={panel.options.justifyMode}
          textMode={panel.options.textMode}
          theme={theme}
          count={fields.length}
        />
      ))}
    </div>
  );
}

function Bars({ panel, answers, width, height }) {
  const fields = seriesOf(panel, answers).map((frame) => frame.fields[1]);
  const most = Math.max(...fields.map((field) => field.values.at(-1)));
  const each = Math.min(height / fields.length, 40);
  return fields.map((field, index) => (
    <div key={index} style={{ marginBottom: 6 }}>
      <BarGauge
        value={{ ...field.display(field.values.at(-1)), title: field.state.displayName }}
        field={{ ...field.config, min: 0, max: most }}
        display={field.display}
        orientation="horizontal"
        displayMode="basic"
        width={width}
        height={each - 6}
        theme={theme}
        showUnfilled
      />
    </div>
  ));
}

function Rows({ panel, answers, width, height }) {
  const [frame, setFrame] = useState(null);
  useEffect(() => void tableOf(panel, answers).then(setFrame), [panel, answers]);
  if (!frame) {
    return null;
  }
  return (
    <Table
      data={frame}
      width={width}
      height={height}
      cellHeight="sm"
      ariaLabel={panel.title}
      initialSortBy={panel.options.sortBy}
      timeRange={rangeOf(answers)}
      noHeader={false}
      showTypeIcons={false}
      resizable={false}
    />
  );
}

