"""How large pictures are, where that decides what they are: faces cut out, or whole photographs."""

from collections.abc import Callable, Iterable, Sequence

from gralib.data.decoding import size_of
from gralib.data.sources import Unreadable


def some(names: Sequence[str], most: int) -> list[str]:
    """Return at most so many names, spread over all."""
    return list(names[:: max(1, -(-len(names) // most))])


def sizes(read: Callable[[str], bytes], names: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return width and height as stored of the pictures that can be read, by name."""
    found = {}
    for name in names:
        try:
            size = size_of(read(name))
        except Unreadable:
            continue
        if size:
            found[name] = size
    return found


def square(size: tuple[int, int]) -> bool:
    """Tell whether the sides differ by a twentieth at most."""
    return abs(size[0] - size[1]) <= 0.05 * max(size)
