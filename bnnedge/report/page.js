for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0], original = [...body.rows];
  const other = { ascending: "descending", descending: "ascending" };
  const compare = (a, b, column, sign) => {
    const [x, y] = [a, b].map((row) => row.cells[column]);
    if (!x.hasAttribute("data-value") && !y.hasAttribute("data-value"))
      return x.classList.contains("text") ? sign * x.textContent.localeCompare(y.textContent, "en", { numeric: true }) : 0;
    // A value that is not there comes last, whichever way the others go.
    if (!x.hasAttribute("data-value")) return 1;
    if (!y.hasAttribute("data-value")) return -1;
    return sign * (x.dataset.value - y.dataset.value);
  };
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const first = head.classList.contains("text") ? "ascending" : "descending";
    const now = head.getAttribute("aria-sort");
    const next = now === "none" ? first : now === first ? other[first] : "none";
    heads.forEach((each) => each.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", next);
    const sign = next === "ascending" ? 1 : -1;
    const rows = next === "none" ? original : [...original].sort((a, b) => compare(a, b, column, sign));
    body.append(...rows);
  }));
}
