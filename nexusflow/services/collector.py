"""The garbage collector, kept from going through all that lives again and again."""

import atexit
import gc

# Else libraries that count what they leave behind complain of it at the end.
atexit.register(gc.unfreeze)


def spare_the_living() -> None:
    """Collect once, and leave what lives now out of later rounds; what an earlier call left out is looked at again.

    Streamlit collects in full after every run of a script. With PyTorch and its like loaded that takes half a second in
    which no other thread gets on, and a page that follows a training runs once a second.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
