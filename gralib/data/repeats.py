"""One photograph, several files: near-identical pictures found among the decoded faces, and linked into groups.

Two pictures count as one photograph if a perceptual hash (pHash; Krawetz 2011, "Looks like it", hackerfactor.com) and
the mean difference of their pixels both say so. `RULE` is read off `reports/figures/near-identical.svg`: among pairs
within 4 bits those of one photograph and those of two leave a gap between 6 and 20 of 255. The rule is its near end, so
that what it links is one photograph; `LOOSER` is its middle, for the audit: what it finds besides mostly is one, too.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


class Rule(NamedTuple):
    """What two pictures may differ in and still count as one photograph."""

    bits: int
    """At most so many of the 64 bits of the hash. It always has 32 ones, so that distances are even."""
    difference: float
    """Less than so many of 255 grey levels, mean over pixels and colours."""

    def __str__(self) -> str:
        return f"at most {self.bits} of 64 bits, under {self.difference:g} of 255"


RULE = Rule(4, 6.0)
"""Pictures so alike are one photograph and never split."""
LOOSER = Rule(6, 12.0)
"""Pictures so alike are counted by the audit."""
BANDS = 4
"""Hashes within `2 * BANDS - 1` bits agree in one of so many bands of 16 bits, but for one bit at most."""
MOST = 500
"""A hash is compared with so many of a bucket, nearest in brightness; 164,000 photographs need 300."""
MATCHES = 64
"""So many of like hash are then compared with it pixel by pixel. Both bounds are for series of blank or drawn pictures;
no photograph of the real sets comes near the second."""
CHUNK = 1 << 21
COLUMNS = {"first": "int64", "second": "int64", "bits": "int64", "difference": "float64"}
"""Of `pairs`."""


def hashes(pixels: np.ndarray) -> NDArray[np.uint64]:
    """Return the pHash of each face, (n,): which of its 8x8 lowest cosine frequencies lie above their median.

    Equal to `imagehash.phash` on 32x32 faces, bit for bit, but for blank ones, whose rounding errors it hashes.

    Args:
        pixels: (n, 32, 32, 3) uint8.
    """
    basis = dct(np.eye(pixels.shape[1]), axis=0)[:8]

    def bits(part: slice) -> np.ndarray:
        grey = (pixels[part].astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32) + 32768) >> 16  # as Pillow
        waves = (basis @ grey.astype(np.float64) @ basis.T).reshape(-1, 64).round(6)
        return np.packbits(waves > np.median(waves, axis=1, keepdims=True), axis=1)

    return _in_parts(bits, len(pixels)).view(np.uint64)[:, 0]


def pairs(pixels: np.ndarray, rule: Rule = LOOSER) -> pd.DataFrame:
    """Return the pairs of near-identical faces, without comparing each with each.

    Faces of identical pixels are paired with the first of them only, which alone is paired with others.

    Args:
        pixels: (n, 32, 32, 3) uint8.
        rule: what counts as near-identical; at most 7 bits.

    Returns:
        One row a pair, sorted: first and second (row numbers, first < second), bits and difference as in `Rule`.
    """
    assert rule.bits < 2 * BANDS, "the bands find no pairs beyond"
    alone, first = _firsts([sha256(face.tobytes()).digest() for face in pixels])
    copies = np.flatnonzero(first != np.arange(len(pixels)))
    a, b, bits = _alike(pixels, alone, rule)
    apart = differences(pixels, a, b)
    near = apart < rule.difference
    found = {
        "first": np.concatenate([first[copies], a[near]]),
        "second": np.concatenate([copies, b[near]]),
        "bits": np.concatenate([np.zeros(len(copies)), bits[near]]),
        "difference": np.concatenate([np.zeros(len(copies)), apart[near]]),
    }
    return pd.DataFrame(found).astype(COLUMNS).sort_values(["first", "second"], ignore_index=True)


def under(found: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """Return those of the pairs that `rule` calls near-identical."""
    return found[(found["bits"] <= rule.bits) & (found["difference"] < rule.difference)]


def numbers(found: pd.DataFrame, digests: pd.Series) -> NDArray[np.int64]:
    """Return for each face the number of its photograph, (n,): linked by `found`, or the same file (`digests`)."""
    n = len(digests)
    a = np.concatenate([found["first"], _firsts(digests)[1]])
    b = np.concatenate([found["second"], np.arange(n)])
    links = coo_matrix((np.ones(len(a), dtype=np.int8), (a, b)), shape=(n, n))
    return connected_components(links, directed=False)[1].astype(np.int64)


def _firsts(keys: Sequence | pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return where each key is met first, and for every place where its key was."""
    codes, known = pd.factorize(np.array(keys, dtype=object))
    first = np.full(len(known), len(codes))
    np.minimum.at(first, codes, np.arange(len(codes)))
    return first, first[codes]


def _alike(pixels: np.ndarray, rows: np.ndarray, rule: Rule) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pairs of `rows` whose hashes differ in at most `rule.bits`, and in how many; smaller row first."""
    codes = hashes(pixels)[rows]
    brightness = _in_parts(lambda part: pixels[part].mean(axis=(1, 2, 3)), len(pixels))[rows]
    found = [np.empty((2, 0), np.int64)]
    matches = np.zeros(len(rows), np.int64)
    for band, a, b in _candidates(codes, brightness, rule.difference, matches):
        close = np.bitwise_count(codes[a] ^ codes[b]) <= rule.bits
        a, b = a[close], b[close]
        by_band = np.bitwise_count((codes[a] ^ codes[b]).view(np.uint16).reshape(-1, BANDS))
        new = ~(by_band[:, :band] <= 1).any(axis=1)  # else found by an earlier band
        a, b = a[new], b[new]
        count = np.arange(len(a))
        begins = np.maximum.accumulate(np.where(np.diff(a, prepend=-1) != 0, count, 0))
        kept = matches[a] + count - begins < MATCHES
        matches += np.bincount(a[kept], minlength=len(rows))
        found.append(np.sort([a[kept], b[kept]], axis=0))
    a, b = np.concatenate(found, axis=1)
    return rows[a], rows[b], np.bitwise_count(codes[a] ^ codes[b]).astype(np.int64)


def _candidates(
    codes: NDArray[np.uint64], brightness: np.ndarray, reach: float, matches: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield pairs of faces, by number, that agree in a band but for one bit at most, and nearly in brightness.

    Each pair comes once a band at most, and all of its first face together. A face with enough `matches`, which the
    caller counts meanwhile, is not compared any more.
    """
    for number, band in enumerate(codes.view(np.uint16).reshape(len(codes), BANDS).T.astype(np.int64)):
        order = np.argsort(1024 * band + brightness, kind="stable")
        band, light = band[order], brightness[order]
        place = 1024 * band + light
        for flip in (0, *(1 << bit for bit in range(16))):
            near = np.flatnonzero((band <= band ^ flip) & (matches[order] < MATCHES))  # each pair from one side
            other = 1024 * (band[near] ^ flip) + light[near]
            start = np.searchsorted(place, other - reach) if flip else near + 1
            counts = np.clip(np.searchsorted(place, other + reach) - start, 0, MOST)
            for part in np.split(np.arange(len(near)), np.flatnonzero(np.diff(np.cumsum(counts) // CHUNK)) + 1):
                within = np.arange(counts[part].sum()) - np.repeat(np.cumsum(counts[part]) - counts[part], counts[part])
                ends = order[np.repeat(near[part], counts[part])], order[np.repeat(start[part], counts[part]) + within]
                yield number, *ends


def differences(pixels: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the mean absolute difference of the pictures `a` and `b`, pair by pair."""
    return _in_parts(
        lambda part: np.abs(pixels[a[part]] - pixels[b[part]].astype(np.int16)).mean(axis=(1, 2, 3)), len(a)
    )


def _in_parts(measure: Callable[[slice], np.ndarray], n: int) -> np.ndarray:
    """Return what `measure` makes of n things, some thousands at a time."""
    return np.concatenate([measure(slice(start, start + 4096)) for start in range(0, max(n, 1), 4096)])
