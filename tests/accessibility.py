"""Check pages of the report in headless Chromium with axe-core: `python tests/accessibility.py AXE.min.js PAGE...`.

Prints every finding and every console error; exit status 1 if one is serious or critical. `--dark` in front asks for
the dark colours. Needs `chromium`, and `axe.min.js` from the npm package `axe-core`; not part of `make test`. A page is
asked two seconds after it is there: its scripts make what scrolls reachable by keyboard.
"""

import html
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPT = """
<pre id="axe-found"></pre>
<script>window.failed = []; window.addEventListener("error", e => failed.push(e.message));</script>
<script>%s</script>
<script>for (const d of document.querySelectorAll("details")) d.open = true;
addEventListener("load", () => setTimeout(() => axe.run(document, {resultTypes: ["violations"]}).then(r =>
document.getElementById("axe-found").textContent =
JSON.stringify({errors: failed, requests: performance.getEntriesByType("resource").map(e => e.name).filter(n =>
!n.startsWith("file:") && !n.startsWith("data:")),
found: r.violations.map(v => [v.impact, v.id, v.nodes.length, v.nodes[0].html.slice(0, 160)])})), 2000))</script>
"""


def check(axe: Path, page: Path, dark: bool = False) -> dict:
    """Return console errors, requests beyond the folder, and findings (impact, rule, places, first place) of a page."""
    text = page.read_text()
    with (
        tempfile.NamedTemporaryFile("w", dir=page.parent, suffix=".html") as copy,
        tempfile.TemporaryDirectory() as home,
    ):
        copy.write(text.replace("</body>", SCRIPT % axe.read_text() + "</body>"))
        copy.flush()
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={home}",
                   f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--allow-file-access-from-files",
                   "--virtual-time-budget=60000", "--dump-dom", f"file://{copy.name}"]  # fmt: skip
        dom = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    found = re.search(r'<pre id="axe-found"[^>]*>(.+?)</pre>', dom, re.DOTALL)
    if not found:
        return {"errors": ["the checker gave no answer"], "requests": [], "found": []}
    return json.loads(html.unescape(found.group(1)))


def main() -> None:
    """Check every page named; fail on a serious finding, a script error or a request."""
    dark = "--dark" in sys.argv
    axe, *pages = (Path(word) for word in sys.argv[1:] if word != "--dark")
    bad = 0
    for page in pages:
        result = check(axe, page.resolve(), dark)
        grave = [f for f in result["found"] if f[0] in ("serious", "critical")]
        bad += len(grave) + len(result["errors"]) + len(result["requests"])
        print(f"{page}: {len(grave)} serious, {len(result['found'])} in all; {result['errors']} {result['requests']}")
        for finding in result["found"]:
            print("  ", *finding)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
