"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const remember = (key, value) => { try { return value === undefined ? localStorage.getItem(key) : localStorage.setItem(key, value); } catch { return null; } };

  // Light and dark: as the system says, until the button is pressed.
  const theme = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
  const label = () => { theme.textContent = isDark() ? "Light" : "Dark"; theme.setAttribute("aria-label", `Switch to the ${isDark() ? "light" : "dark"} theme`); };
  const kept = remember("theme");
  if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; remember("theme", root.dataset.theme); label(); });
  dark.addEventListener("change", label);
  theme.hidden = false;
  label();

  // The contents are open where they stand beside the page.
  const wide = matchMedia("(min-width: 64rem)");
  const contents = document.querySelector(".contents details");
  const open = () => { contents.open = wide.matches; };
  wide.addEventListener("change", open);
  open();
  contents.addEventListener("click", (event) => { if (event.target.closest("a") && !wide.matches) contents.open = false; });

  // Tables: each head is a button. Numbers as numbers, empty cells last, both ways.
  const key = (cell) => cell.dataset.key ?? cell.innerText.trim().toLowerCase();
  const numeric = (text) => text !== "" && Number.isFinite(Number(text.split(/[\s[]/)[0])) ? Number(text.split(/[\s[]/)[0]) : null;
  const compare = (a, b) => {
    const [x, y] = [numeric(a), numeric(b)];
    if (x !== null && y !== null) return x - y;
    if (x !== null || y !== null) return x !== null ? -1 : 1;
    return a.localeCompare(b, "en");
  };
  for (const table of all("table.sortable")) {
    const heads = all("thead th", table);
    heads.forEach((head, column) => {
      if (all("tbody tr", table).every((row) => key(row.cells[column]) === "")) return; // drawings
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const way = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
        const rows = all("tbody tr", table).map((row) => [key(row.cells[column]), row]);
        rows.sort(([a], [b]) => (a === "") - (b === "") || way * compare(a, b));
        table.tBodies[0].append(...rows.map(([, row]) => row));
      });
    });
  }

  // The filter: artifacts of which every word is somewhere in their text.
  const filter = document.getElementById("filter");
  const found = document.getElementById("found");
  const artifacts = all("article.artifact").map((article) => ({
    article,
    link: document.querySelector(`.contents [data-of="${article.id}"]`),
    text: all("h3, h3 ~ p, .headline, figcaption, th", article).map((part) => part.textContent).join(" ").toLowerCase(),
  }));
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { article, link, text } of artifacts) {
      const shown = words.every((word) => text.includes(word));
      article.hidden = !shown;
      if (link) link.hidden = !shown;
      count += shown;
    }
    for (const section of all(".group, .snapshot")) section.hidden = all(".artifact:not([hidden])", section).length === 0;
    for (const group of all(".contents li:has(> ul > [data-of])")) group.hidden = all("[data-of]:not([hidden])", group).length === 0;
    found.textContent = words.length ? `${count} of ${artifacts.length} shown` : "";
  });

  // Before and after.
  for (const range of all(".compare input")) {
    const cut = () => range.parentElement.style.setProperty("--cut", `${range.value}%`);
    range.addEventListener("input", cut);
    cut();
  }

  // Animations never start by themselves.
  for (const button of all(".play")) {
    const image = button.parentElement.querySelector("img");
    const rest = button.querySelector(".unseen");
    button.hidden = false;
    button.addEventListener("click", () => {
      const playing = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(playing));
      image.src = playing ? image.dataset.motion : image.dataset.still;
      button.replaceChildren(playing ? "Stop" : "Play", rest);
    });
  }

  // A link into what is folded or filtered away opens it.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.closest("[hidden]")) { filter.value = ""; filter.dispatchEvent(new Event("input")); }
    for (let parent = target; parent; parent = parent.parentElement) if (parent.tagName === "DETAILS") parent.open = true;
    if (target.tagName === "TR") all("details", target).forEach((part) => { part.open = true; });
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();
})();
