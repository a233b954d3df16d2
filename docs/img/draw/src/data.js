// From what Prometheus answered to the fields that Grafana's panels draw.

import { FieldType, createTheme, dateTime, getDisplayProcessor, getFieldDisplayName, standardTransformers } from '@grafana/data';
import { firstValueFrom, of } from 'rxjs';

export const theme = createTheme({ colors: { mode: 'dark' } });
export const timeZone = 'utc';

export function rangeOf(answers) {
  const [from, to] = [dateTime(answers.from * 1000), dateTime(answers.to * 1000)];
  return { from, to, raw: { from, to } };
}

// A frame for each series; a series' gaps stay gaps.
export function seriesOf(panel, answers) {
  const step = stepOf(panel);
  const frames = panel.targets.flatMap((query) =>
    query.result.map((series) => {
      const points = series.values ?? [[answers.to, series.value[1]]];
      const time = { name: 'Time', type: FieldType.time, config: { interval: step }, values: points.map(([at]) => at * 1000) };
      const value = {
        name: 'Value',
        type: FieldType.number,
        labels: series.metric,
        config: { displayNameFromDS: legend(query.legendFormat, series.metric) },
        values: points.map(([, text]) => number(text)),
      };
      return { refId: query.refId, length: points.length, fields: [time, value] };
    })
  );
  frames.sort((a, b) => getFieldDisplayName(a.fields[1], a).localeCompare(getFieldDisplayName(b.fields[1], b)));
  frames.forEach((frame, index) => configure(panel, frame, index));
  return frames;
}

// The one frame of a table, by the panel's own transformations.
export async function tableOf(panel, answers) {
  const several = panel.targets.length > 1;
  const frames = panel.targets.map((query) => {
    const labels = [...new Set(query.result.flatMap((series) => Object.keys(series.metric)))].sort();
    const column = (name, type, values) => ({ name, type, config: {}, values });
    const fields = [
      column('Time', FieldType.time, query.result.map(() => answers.to * 1000)),
      ...labels.map((label) => column(label, FieldType.string, query.result.map((series) => series.metric[label] ?? ''))),
      column(several ? `Value #${query.refId}` : 'Value', FieldType.number, query.result.map((series) => number(series.value[1]))),
    ];
    return { refId: query.refId, length: query.result.length, fields };
  });
  const operators = { merge: standardTransformers.mergeTransformer, organize: standardTransformers.organizeFieldsTransformer };
  const context = { interpolate: (text) => text };
  let data = frames.filter((frame) => frame.length > 0);
  for (const { id, options } of panel.transformations ?? []) {
    data = await firstValueFrom(of(data).pipe(operators[id].operator(options, context)));
  }
  data.forEach((frame) => configure(panel, frame, 0));
  return data[0];
}

export function stepOf(panel) {
  const all = panel.targets.flatMap((query) => query.result).flatMap((series) => {
    const values = series.values ?? [];
    return values.slice(1).map(([at], index) => at - values[index][0]);
  });
  return all.length ? Math.min(...all) * 1000 : 1000;
}

// What the panel says of all fields and of this one, as Grafana would lay it on.
function configure(panel, frame, seriesIndex) {
  const { defaults, overrides } = panel.fieldConfig;
  for (const field of frame.fields) {
    if (field.type === FieldType.time) {
      continue;
    }
    const name = getFieldDisplayName(field, frame);
    const config = { ...structuredClone(field.type === FieldType.number ? defaults : { custom: defaults.custom }), ...field.config };
    config.custom = { ...config.custom };
    for (const { matcher, properties } of overrides.filter(({ matcher }) => matches(matcher, name))) {
      for (const { id, value } of properties) {
        const [key, own] = id.split('.');
        if (key === 'custom') {
          config.custom[own] = value;
        } else {
          config[key] = value;
        }
      }
    }
    delete config.links;
    field.config = config;
    field.state = { seriesIndex, displayName: name };
    field.display = getDisplayProcessor({ field, theme, timeZone });
  }
}

function matches({ id, options }, name) {
  return id === 'byName' ? options === name : new RegExp(options.slice(1, -1)).test(name);
}

function legend(format, labels) {
  if (format === '__auto') {
    return Object.values(labels).join(' ') || 'Value';
  }
  return format.replace(/\{\{(\w+)\}\}/g, (_, label) => labels[label] ?? '');
}

function number(text) {
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}
