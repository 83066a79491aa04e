"use strict";
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Light, dark, or as the system says.
  const themes = ["", "dark", "light"];
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = themes[(themes.indexOf(root.dataset.theme || "") + 1) % themes.length];
  });

  const cards = byId("cards");
  if (!cards) return;
  const features = all(".feature", cards);
  const bodies = new Map(all("#table tbody").map((body) => [body.dataset.place, body]));
  const search = byId("search"), filter = byId("filter"), sort = byId("sort");

  // Which features are seen.
  const fits = {
    all: () => true,
    numbers: (data) => "mean" in data || "zeros" in data,
    categories: (data) => !("zeros" in data),
    missing: (data) => Number(data.missing) > 0,
    wrong: (data) => "wrong" in data,
  };
  const choose = () => {
    const text = search.value.trim().toLowerCase();
    let seen = 0;
    for (const card of features) {
      const shown = fits[filter.value](card.dataset) && card.dataset.name.toLowerCase().includes(text);
      card.hidden = !shown;
      const body = bodies.get(card.dataset.place);
      if (body) body.hidden = !shown;
      seen += shown;
    }
    byId("count").textContent = seen.toLocaleString("en");
    byId("nothing").hidden = seen > 0;
  };
  search.addEventListener("input", choose);
  filter.addEventListener("change", choose);

  // In which order. Numbers go from the greatest down; what has none of them comes last.
  const arrange = (key, upwards) => {
    const place = (card) => Number(card.dataset.place);
    const order = (one, other) => {
      const left = one.dataset[key], right = other.dataset[key];
      if (left === undefined || right === undefined) return (left === undefined) - (right === undefined) || place(one) - place(other);
      const ahead = key === "name" || key === "kind" ? left.localeCompare(right) : Number(left) - Number(right);
      return (upwards ? ahead : -ahead) || place(one) - place(other);
    };
    const sorted = [...features].sort(order);
    cards.append(...sorted);
    const table = byId("table").querySelector("table");
    if (table) table.append(...sorted.map((card) => bodies.get(card.dataset.place)).filter(Boolean));
    for (const head of all("#table th[aria-sort]")) head.removeAttribute("aria-sort");
    const button = all("#table button").find((each) => each.dataset.sort === key);
    if (button) button.parentElement.setAttribute("aria-sort", upwards ? "ascending" : "descending");
  };
  const rising = (key) => key === "name" || key === "kind" || key === "place";
  sort.addEventListener("change", () => arrange(sort.value, rising(sort.value)));
  for (const button of all("#table button[data-sort]")) {
    button.addEventListener("click", () => {
      const key = button.dataset.sort, now = button.parentElement.getAttribute("aria-sort");
      arrange(key, now ? now === "descending" : rising(key));
    });
  }

  // Charts or the table, bins of equal widths or of equal counts.
  for (const button of all("button[data-set]")) {
    button.addEventListener("click", () => {
      root.dataset[button.dataset.set] = button.dataset.to;
      for (const each of all(`button[data-set="${button.dataset.set}"]`)) each.setAttribute("aria-pressed", String(each === button));
    });
  }

  // Sides that are switched off.
  for (const button of all("button[data-side]")) {
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true", side = Number(button.dataset.side);
      button.setAttribute("aria-pressed", String(shown));
      for (const svg of all("svg[data-sides]", cards)) {
        const place = svg.dataset.sides.split(" ").map(Number).indexOf(side);
        if (place >= 0) svg.querySelectorAll("path")[place].style.display = shown ? "" : "none";
      }
      const colour = `s${side % 8}`;
      for (const bar of all(`.bars .${colour}`, cards)) bar.style.display = shown ? "" : "none";
      for (const row of all(`.figures .of-s${side}`, cards)) row.style.display = shown ? "" : "none";
    });
  }

  // A link to a feature shows it, whatever was looked for.
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#f"]');
    if (!link || !byId(link.hash.slice(1))?.classList.contains("feature")) return;
    search.value = "";
    filter.value = "all";
    root.dataset.view = "charts";
    for (const each of all('button[data-set="view"]')) each.setAttribute("aria-pressed", String(each.dataset.to === "charts"));
    choose();
  });

  // The numbers of a chart as a table, made when it is unfolded.
  const cell = (name, text) => {
    const made = document.createElement(name);
    made.textContent = text;
    return made;
  };
  const row = (cells) => {
    const made = document.createElement("tr");
    made.append(...cells);
    return made;
  };
  const span = ([from, to]) => (from === to ? number(from) : `${number(from)} to ${number(to)}`);
  const unfold = (details) => {
    const charts = all("svg[data-edges]", details.parentElement);
    const edges = charts[0].dataset.edges.split(" ").map((pair) => pair.split(","));
    const sides = charts.flatMap((svg) => svg.dataset.sides.split(" ").map(Number));
    const shares = charts.flatMap((svg) => svg.dataset.shares.split(";").map((own) => own.split(" ").map(Number)));
    const head = row([cell("th", "from … to"), ...sides.map((side) => cell("th", labels[side] || "share"))]);
    const table = document.createElement("table");
    table.className = "counts";
    table.append(head, ...edges.map((edge, bin) => row([cell("th", span(edge)), ...shares.map((own) => cell("td", `${(own[bin] * 100).toFixed(1)}%`))])));
    details.append(table);
  };
  for (const details of all(".chart figure > details[hidden]", cards)) {
    details.hidden = false;
    details.addEventListener("toggle", () => details.querySelector("table") || unfold(details));
  }

  // What lies under the pointer.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const labels = all("button[data-side]").map((button) => button.textContent);
  const number = (text) => Number(Number(text).toPrecision(4)).toLocaleString("en", { useGrouping: Math.abs(text) >= 1e4, maximumSignificantDigits: 4 });
  const line = (text, bold) => {
    const made = document.createElement(bold ? "b" : "div");
    made.textContent = text;
    return made;
  };
  cards.addEventListener("mousemove", (event) => {
    const svg = event.target.closest("svg[data-edges]");
    tip.hidden = !svg;
    if (!svg) return;
    const box = svg.getBoundingClientRect();
    const [low, high] = svg.dataset.axis.split(" ").map(Number);
    const at = low + ((event.clientX - box.left) / box.width) * (high - low);
    const edges = svg.dataset.edges.split(" ").map((pair) => pair.split(","));
    const near = ((high - low) / box.width) * 3;
    let bin = edges.findIndex(([from, to]) => from === to && Math.abs(at - from) <= near);
    if (bin < 0) bin = edges.findIndex(([from, to]) => at >= Number(from) && at <= Number(to));
    if (bin < 0) { tip.hidden = true; return; }
    const sides = svg.dataset.sides.split(" ").map(Number);
    const shares = svg.dataset.shares.split(";").map((own) => Number(own.split(" ")[bin]));
    tip.replaceChildren(
      line(span(edges[bin]), true),
      ...sides.map((side, place) => line(`${labels[side] ? labels[side] + "  " : ""}${(shares[place] * 100).toFixed(1)}%`)),
    );
    const left = Math.min(event.pageX + 14, window.scrollX + root.clientWidth - tip.offsetWidth - 8);
    tip.style.left = `${left}px`;
    tip.style.top = `${event.pageY + 16}px`;
  });
  cards.addEventListener("mouseleave", () => { tip.hidden = true; });
})();
