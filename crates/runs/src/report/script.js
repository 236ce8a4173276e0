"use strict";
// Draws every chart from the numbers in #charts. Texts from files are only ever set as text.
(() => {
  const source = document.getElementById("charts");
  if (!source) return;
  const charts = JSON.parse(source.textContent);
  const figures = [...document.querySelectorAll("figure.chart")];
  const slider = document.getElementById("smoothing");
  const logarithmic = document.getElementById("logarithmic");
  const HEIGHT = 190, LEFT = 52, RIGHT = 10, TOP = 10, BOTTOM = 22;

  // A running mean that forgets by `weight` a point, without the pull towards its start.
  const smooth = (points, weight) => {
    let sum = 0, total = 0;
    return points.map(([x, y]) => {
      sum = weight * sum + (1 - weight) * y;
      total = weight * total + (1 - weight);
      return [x, sum / total];
    });
  };

  const niceTicks = (low, high, count) => {
    const span = high - low || Math.abs(high) || 1;
    const rough = span / count, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= rough) || rough;
    const ticks = [];
    for (let t = Math.ceil(low / step) * step; t <= high + step * 1e-9; t += step) ticks.push(Math.abs(t) < step * 1e-9 ? 0 : t);
    return ticks;
  };

  const logTicks = (low, high) => {
    const ticks = [];
    for (let p = Math.floor(low); p <= Math.ceil(high); p++)
      for (const f of high - low < 1.5 ? [1, 2, 5] : [1]) {
        const t = p + Math.log10(f);
        if (t >= low && t <= high) ticks.push(t);
      }
    return ticks.length > 1 ? ticks : niceTicks(low, high, 3);
  };

  const label = (v) => {
    const size = Math.abs(v);
    if (v === 0) return "0";
    if (size >= 1e5 || size < 1e-3) return v.toExponential(1).replace(".0e", "e").replace("e+", "e");
    return String(Number(v.toPrecision(3)));
  };

  // Outliers of the raw curve, one in fifty at either end, do not stretch the axis.
  const range = (raw, smoothed) => {
    const sorted = raw.slice().sort((a, b) => a - b);
    const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
    let low = Math.min(at(0.02), ...smoothed), high = Math.max(at(0.98), ...smoothed);
    if (low === high) { low -= Math.abs(low) / 10 || 1; high += Math.abs(high) / 10 || 1; }
    const margin = (high - low) * 0.05;
    return [low - margin, high + margin];
  };

  const make = (parent, name, attributes, text) => {
    const node = parent.ownerDocument.createElementNS(parent.namespaceURI, name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    return parent.appendChild(node);
  };

  const draw = (figure, chart, number) => {
    figure.innerHTML = "<figcaption></figcaption><svg></svg>";
    figure.firstChild.textContent = chart.title;
    const svg = figure.lastChild, width = Math.max(200, svg.clientWidth);
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const weight = chart.smooth ? Number(slider.value) : 0, log = logarithmic.checked;
    const value = log ? Math.log10 : (y) => y;
    const curves = chart.curves.map((curve) => {
      const raw = curve.points.filter(([, y]) => !log || y > 0);
      return { ...curve, raw, line: smooth(raw, weight) };
    }).filter((curve) => curve.raw.length);
    if (!curves.length) { make(svg, "text", { x: LEFT, y: 40 }, "no value above 0"); return; }
    const xs = curves.flatMap((c) => c.raw.map(([x]) => x));
    let x0 = Math.min(...xs), x1 = Math.max(...xs);
    if (x0 === x1) { x0 -= 1; x1 += 1; }
    const of = (key) => curves.flatMap((c) => c[key].map(([, y]) => value(y)));
    const [y0, y1] = range(of("raw"), of("line"));
    const px = (x) => LEFT + (x - x0) / (x1 - x0) * (width - LEFT - RIGHT);
    const py = (y) => HEIGHT - BOTTOM - (value(y) - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM);
    for (const t of log ? logTicks(y0, y1) : niceTicks(y0, y1, 4)) {
      const y = HEIGHT - BOTTOM - (t - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM);
      make(svg, "line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y, y2: y });
      make(svg, "text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, label(log ? 10 ** t : t));
    }
    for (const t of niceTicks(x0, x1, Math.max(3, Math.floor(width / 70))))
      make(svg, "text", { x: px(t), y: HEIGHT - 6, "text-anchor": px(t) > width - 30 ? "end" : "middle" }, label(t));
    const clip = make(svg, "clipPath", { id: `clip-${number}` });
    make(clip, "rect", { x: LEFT - 4, y: TOP - 4, width: width - LEFT - RIGHT + 8, height: HEIGHT - TOP - BOTTOM + 8 });
    const area = make(svg, "g", { "clip-path": `url(#clip-${number})` });
    const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join("");
    for (const c of curves) {
      const stroke = `stroke: var(--run-${c.run})`;
      if (weight > 0) make(area, "path", { class: "raw", d: path(c.raw), style: stroke });
      make(area, "path", { class: "line", d: path(c.line), style: stroke });
      if (c.raw.length < 2 || !chart.smooth && c.raw.length < 40)
        for (const [x, y] of c.raw) make(area, "circle", { cx: px(x), cy: py(y), r: 3, style: `fill: var(--run-${c.run})` });
    }
    follow(figure, svg, curves, { px, x0, x1, width, weight });
  };

  // Shows the values at the pointer.
  const follow = (figure, svg, curves, { px, x0, x1, width, weight }) => {
    let tip, cursor;
    const leave = () => { tip?.remove(); cursor?.remove(); tip = cursor = undefined; };
    svg.addEventListener("pointerleave", leave);
    svg.addEventListener("pointermove", (event) => {
      leave();
      const box = svg.getBoundingClientRect();
      const x = x0 + ((event.clientX - box.left) * width / box.width - LEFT) / (width - LEFT - RIGHT) * (x1 - x0);
      const nearest = (points) => points.reduce((best, p, i) => Math.abs(p[0] - x) < Math.abs(points[best][0] - x) ? i : best, 0);
      const at = curves[0].raw[nearest(curves[0].raw)][0];
      cursor = make(svg, "line", { class: "cursor", x1: px(at), x2: px(at), y1: TOP, y2: HEIGHT - BOTTOM });
      tip = figure.appendChild(document.createElement("div"));
      tip.className = "tip";
      const row = (text, bold, run) => {
        const line = tip.appendChild(document.createElement("div"));
        if (run !== undefined) {
          const key = line.appendChild(document.createElement("span"));
          key.className = "key";
          key.style.background = `var(--run-${run})`;
        }
        line.append(text);
        if (bold) line.appendChild(document.createElement("b")).textContent = bold;
      };
      row(`step ${Math.round(at)}`);
      for (const c of curves) {
        const i = nearest(c.raw);
        row(curves.length > 1 ? `${c.name}: ` : "", c.line[i][1].toPrecision(4) + (weight > 0 ? `  (raw ${c.raw[i][1].toPrecision(4)})` : ""), c.run);
      }
      const left = px(at) * box.width / width + 12;
      tip.style.top = "34px";
      if (left > figure.clientWidth / 2) tip.style.right = `${figure.clientWidth - left + 36}px`;
      else tip.style.left = `${left + 12}px`;
    });
  };

  const all = () => {
    document.getElementById("smoothed").textContent = slider.value;
    figures.forEach((figure, number) => draw(figure, charts[number], number));
  };
  if (!figures.length) return;
  slider.addEventListener("input", all);
  logarithmic.addEventListener("change", all);
  let width = 0;
  new ResizeObserver(() => { if (width !== innerWidth) { width = innerWidth; all(); } }).observe(document.body);
})();
