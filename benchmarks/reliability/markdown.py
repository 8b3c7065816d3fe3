"""Tables and values of the page."""


def table(head: list, rows: list[list]) -> list[str]:
    """Return a Markdown table and an empty line."""
    lines = [head, ["---"] * len(head), *rows]
    return [*("| " + " | ".join(str(x).replace("|", "\\|") for x in line) + " |" for line in lines), ""]


def yes(value) -> str:
    """Return a value as a reader wants it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
