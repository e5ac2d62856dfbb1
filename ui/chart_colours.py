"""Colours of values: a scale with two sides, and the ink that can be read on a scale's colour."""

from collections.abc import Sequence

from ui.palette import Palette

INK_DARK, INK_LIGHT = "#1f2433", "#ffffff"


def two_sided(palette: Palette) -> tuple[str, ...]:
    """A scale from the strongest against, over nothing in the middle, to the strongest for."""
    return (palette.against_it, palette.scale[0], palette.for_it)


def ink(share: float, colours: Sequence[str]) -> str:
    """Dark or light, whichever reads better on the scale's colour at this share of its length."""
    at = min(max(share, 0.0), 1.0) * (len(colours) - 1)
    below, above = colours[int(at)], colours[min(int(at) + 1, len(colours) - 1)]
    mixed = [
        int(below[i : i + 2], 16) * (1 - at % 1) + int(above[i : i + 2], 16) * (at % 1) for i in (1, 3, 5)
    ]
    brightness = 0.299 * mixed[0] + 0.587 * mixed[1] + 0.114 * mixed[2]
    return INK_DARK if brightness > 140 else INK_LIGHT
