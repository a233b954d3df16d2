// Draws one dashboard of `window.ANSWERS`: ?board=check&rows=zombie,hold (all rows where none is named).

import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import { GlobalStyles, PanelChrome, ThemeContext } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import { theme } from './data.js';
import { Inside } from './panels.jsx';

const WIDTH = 1600;
const GAP = 8;
const ROW = 30;
const HEAD = 52;
const CELL = (WIDTH - 2 * GAP - 23 * GAP) / 24;

async function main() {
  const parameters = new URLSearchParams(location.search);
  const answers = (await (await fetch('/answers.json')).json())[parameters.get('board')];
  const wanted = parameters.get('rows')?.split(',');
  // A canvas does not wait for its font.
  await Promise.all(['400 12px Inter', '500 12px Inter'].map((font) => document.fonts.load(font)));
  createRoot(document.getElementById('root')).render(<Board answers={answers} wanted={wanted} />);
}

function Board({ answers, wanted }) {
  const { placed, lines } = unfold(answers.board.panels, wanted);
  const page = { position: 'relative', width: WIDTH, height: HEAD + lines * (ROW + GAP) + GAP, background: theme.colors.background.canvas };
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div id="board" style={page}>
        <header style={{ position: 'absolute', top: 14, left: GAP + 4, right: GAP + 4, display: 'flex', alignItems: 'baseline' }}>
          <span style={{ fontSize: 20 }}>{answers.board.title}</span>
          <span style={{ marginLeft: 'auto', color: theme.colors.text.secondary }}>
            drawn by Grafana&apos;s panel library from a demo run with faults; not a Grafana server
          </span>
        </header>
        {placed.map((panel) => (
          <Panel key={panel.id} panel={panel} answers={answers} />
        ))}
      </div>
    </ThemeContext.Provider>
  );
}

function Panel({ panel, answers }) {
  const { x, y, w, h } = panel.gridPos;
  const [width, height] = [w * CELL + (w - 1) * GAP, h * ROW + (h - 1) * GAP];
  const at = { position: 'absolute', left: GAP + x * (CELL + GAP), top: HEAD + y * (ROW + GAP), width, height };
  if (panel.type === 'row') {
    return <div style={{ ...at, fontSize: 18, paddingTop: 4, color: theme.colors.text.primary }}>{panel.title}</div>;
  }
  return (
    <div style={at}>
      <PanelChrome title={panel.title} width={width} height={height}>
        {(innerWidth, innerHeight) => <Inside panel={panel} answers={answers} width={innerWidth} height={innerHeight} />}
      </PanelChrome>
    </div>
  );
}

// Folded rows are opened, so that there is something to see; `wanted` leaves only rows whose title begins with one of its
// words, where `top` is what stands above the first row.
function unfold(panels, wanted) {
  const placed = [];
  const is = (title) => !wanted || wanted.some((word) => title.startsWith(word));
  let [lines, shift, shown] = [0, 0, is('top')];
  const place = (panel, y) => {
    placed.push({ ...panel, gridPos: { ...panel.gridPos, y } });
    lines = Math.max(lines, y + panel.gridPos.h);
  };
  for (const panel of panels) {
    if (panel.type === 'row') {
      shown = is(panel.title);
      shift = lines - panel.gridPos.y;
    }
    if (shown) {
      place(panel, panel.gridPos.y + shift);
      (panel.panels ?? []).forEach((inner) => place(inner, inner.gridPos.y + shift));
    }
  }
  return { placed, lines };
}

main();
