"""Runs, each in a process of its own that kills itself at a moment: `killed_run.py FOLDER MOMENT FOLDER MOMENT ...`."""

import os
import signal
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]


def die(*given, **more):
    """No handler runs, nothing is flushed, no file is closed."""
    os.kill(os.getpid(), signal.SIGKILL)


def at_call(owner, name, number, *, after=False):
    """Die at (or after) the nth call of a function of this class or module."""
    original, calls = getattr(owner, name), []

    def counted(*given, **more):
        calls.append(1)
        if len(calls) == number and not after:
            die()
        found = original(*given, **more)
        if len(calls) == number:
            die()
        return found

    setattr(owner, name, counted)


def aim(moment):
    """Set the trap for a moment such as `step 5`."""
    from nexusflow.services import storage
    from nexusflow.train import baselines, checkpoint, loop

    what, _, number = moment.partition(" ")
    if what == "step":
        checkpoint.SECONDS_BETWEEN = 0.0 if int(number) % 2 else 300.0
        at_call(loop.Step, "learn", int(number))
    elif what == "teaching":
        at_call(loop._Fit, "_teach", 1)
    elif what == "writing":
        # Half of a file's bytes are there, under the name that they have before they are whole.
        original, calls = os.fsync, []

        def fsync(descriptor):
            calls.append(1)
            if len(calls) == int(number):
                os.truncate(descriptor, os.fstat(descriptor).st_size // 2)
                die()
            original(descriptor)

        os.fsync = storage.os.fsync = fsync
    elif what == "between":
        at_call(checkpoint.Checkpoints, "_drop", int(number))
    elif what == "baselines":
        at_call(baselines, "_boosted", 1)


def main(pairs):
    """Train the shop in each folder and die then; libraries are read once, before the processes part."""
    import lightgbm  # noqa: F401
    import torch
    from lightning_fabric import Fabric  # noqa: F401
    from resumed_shop import begin

    torch.set_num_threads(1)
    for folder, moment in pairs:
        child = os.fork()
        if not child:
            aim(moment)
            begin(Path(folder))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            sys.exit(f"{moment}: not killed, but {status}")


if __name__ == "__main__":
    main(list(zip(sys.argv[1::2], sys.argv[2::2], strict=True)))
