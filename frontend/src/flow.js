// Draws who sent how much to whom, from the table that stands beside the drawing: <figure data-flow="id of the table">.
// The table's rows are from, to, amount; the drawing adds nothing that the table does not say.
import { sankey, sankeyLinkHorizontal } from "d3-sankey";

const SVG = "http://www.w3.org/2000/svg";
const element = (name, attributes) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

const figures = (table) =>
  [...table.tBodies[0].rows]
    .map((row) => [...row.cells].map((cell) => cell.dataset.value ?? cell.textContent.trim()))
    .map(([from, to, amount]) => ({ from, to, amount: Number(amount) }))
    .filter(({ amount }) => amount > 0);

const draw = (figure) => {
  const table = document.getElementById(figure.dataset.flow);
  if (!table) return;
  const rows = figures(table);
  if (!rows.length) return;
  const width = 720;
  const sides = [...new Set(rows.map(({ from }) => `from ${from}`)), ...new Set(rows.map(({ to }) => `to ${to}`))];
  const height = Math.max(160, 36 * Math.ceil(sides.length / 2));
  const graph = sankey()
    .nodeId(({ id }) => id)
    .nodeWidth(12)
    .nodePadding(14)
    .extent([[1, 8], [width - 1, height - 8]])({
      nodes: sides.map((id) => ({ id })),
      links: rows.map(({ from, to, amount }) => ({ source: `from ${from}`, target: `to ${to}`, value: amount })),
    });
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, class: "flow", "aria-hidden": "true", focusable: "false" });
  for (const link of graph.links) {
    const path = element("path", { d: sankeyLinkHorizontal()(link), class: "flow__link", "stroke-width": Math.max(1, link.width) });
    const title = element("title", {});
    title.textContent = `${link.source.id.slice(5)} → ${link.target.id.slice(3)}: ${link.value}`;
    path.append(title);
    svg.append(path);
  }
  for (const node of graph.nodes) {
    const isLeft = node.id.startsWith("from ");
    svg.append(element("rect", { x: node.x0, y: node.y0, width: node.x1 - node.x0, height: Math.max(1, node.y1 - node.y0), class: "flow__node" }));
    const text = element("text", {
      x: isLeft ? node.x1 + 6 : node.x0 - 6,
      y: (node.y0 + node.y1) / 2,
      dy: "0.35em",
      "text-anchor": isLeft ? "start" : "end",
    });
    text.textContent = node.id.replace(/^(from|to) /, "");
    svg.append(text);
  }
  figure.prepend(svg);
};

document.querySelectorAll("figure[data-flow]").forEach(draw);
