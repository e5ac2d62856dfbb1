"""What integrated gradients leave unexplained, in red where it is much."""

SMALL = 0.01


def gap_words(gap: float, sentence: str) -> str:
    """The sentence with the gap in the place of its braces; red, with what that means, above one percent."""
    told = sentence.format(f"{gap:.2%}")
    if gap <= SMALL:
        return told
    return f":red[:material/warning: {told} That is more than 1 %: read small scores with care.]"
