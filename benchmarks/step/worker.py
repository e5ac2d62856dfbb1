"""One way to train, in a process of its own: reads how many steps to take, a line each, and says what they took.

`python worker.py ROOT CONFIG WAY`: the code under ROOT, which may be another version of this project's, on the tables
that CONFIG names. Ways: `loop` (NexusFormer through the training loop), `loop-bf16`, `loop-compiled`, and `sage-64`,
`sage-128` (the GraphSAGE of the relational benchmark at this width, in a bare loop of PyTorch).
"""

import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BATCH = 256
CLIPPING = 1.0
Step = Callable[[int], "dict[str, float]"]


def project(config_path: Path) -> tuple[Any, Any, Any, Any]:
    """Configuration, tables, the part of the schema that is read, and task."""
    from nexusflow.services.projects import load_project

    config, tables, schema, task = load_project(config_path)
    try:
        from nexusflow.services.learn import reached
    except ImportError:
        # So it was in the first version.
        reached = importlib.import_module("nexusflow.services.runner").reached
    return config, tables, reached(schema, task, hops=config.architecture.hops), task


def read(config: Any, tables: Any, schema: Any, task: Any) -> tuple[Any, Any]:
    """The reader and an untrained network."""
    from nexusflow.artifact import build_model
    from nexusflow.data.examples import make_examples
    from nexusflow.data.preprocessing import fit_preprocessing
    from nexusflow.data.reader import Reader
    from nexusflow.train.runtime import seed_everything

    asked = config.architecture
    examples = make_examples(tables, schema, task)
    preprocessing = fit_preprocessing(
        tables, schema, task, examples, hops=asked.hops, rows_per_key=asked.rows_per_key
    )
    seed_everything(0)
    return Reader(preprocessing, tables, examples), build_model(config, preprocessing)


def loop(config: Any, reader: Any, model: Any, *, precision: str = "32-true") -> Step:
    """Steps of the training loop, timed from the second on: `fit` asks before every batch whether to stop."""
    from nexusflow.train.loop import fit

    fields = type(config.training).model_fields
    asked = {"distillation": 0.0, "refit": False, "epochs": 30, "batch_size": BATCH, "device": "cpu"}
    changes = {name: value for name, value in {**asked, "precision": precision}.items() if name in fields}
    training = config.training.model_copy(update=changes)
    sizes: list[int] = []
    batch = reader.batch
    reader.batch = lambda index_B: (sizes.append(len(index_B)), batch(index_B))[1]

    def steps(count: int) -> dict[str, float]:
        marks: list[tuple[float, float]] = []
        sizes.clear()

        def enough() -> bool:
            marks.append((time.process_time(), time.perf_counter()))
            return len(marks) > count + 1

        fit(
            model=model,
            reader=reader,
            training=training,
            on_event=lambda event: None,
            should_stop=enough,
            run_id="speed",
        )
        first, last = marks[1], marks[count + 1]
        rows = sum(sizes[1 : count + 1])
        return {"rows": rows, "cpu_seconds": last[0] - first[0], "seconds": last[1] - first[1]}

    return steps


def sage(config: Any, reader: Any, width: int) -> Step:
    """Steps of GraphSAGE: read, forward, backward, clip, step."""
    import numpy as np
    import torch

    from benchmarks.relational.methods import sage as method
    from nexusflow.data.task import Part
    from nexusflow.nn.heads import task_loss
    from nexusflow.train.optimizer import make_optimizer

    method.WIDTH = width
    network = method.GraphSAGE(reader.layout, layers=max(1, config.architecture.hops)).train()
    optimizer, rng = make_optimizer(network, config.training.optimizer), np.random.default_rng(0)
    train = np.flatnonzero(reader.examples.part_N == str(Part.TRAIN))
    kind = reader.preprocessing.task.kind

    def one(index: Any) -> None:
        batch = reader.batch(index)
        loss = task_loss(kind, network(batch), batch.target_B)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIPPING)
        optimizer.step()

    def steps(count: int) -> dict[str, float]:
        batches = [rng.choice(train, BATCH, replace=False) for _ in range(count + 1)]
        one(batches[0])
        cpu, clock = time.process_time(), time.perf_counter()
        for index in batches[1:]:
            one(index)
        gone = {"cpu_seconds": time.process_time() - cpu, "seconds": time.perf_counter() - clock}
        return {"rows": count * BATCH, **gone}

    return steps


def way(name: str, config_path: Path) -> Step:
    """The steps of this way."""
    import torch

    torch.set_num_threads(1)
    given = project(config_path)
    reader, model = read(*given)
    if name.startswith("sage-"):
        return sage(given[0], reader, int(name.removeprefix("sage-")))
    if name == "loop-compiled":
        model.forward = torch.compile(model.forward, dynamic=True)
    return loop(given[0], reader, model, precision="bf16-mixed" if name == "loop-bf16" else "32-true")


def asked() -> Iterator[int]:
    """The numbers of steps that are asked for."""
    for line in sys.stdin:
        yield int(line)


def main() -> None:
    """Answer until nothing more is asked."""
    root, config_path, name = sys.argv[1:]
    sys.path.insert(0, root)
    say, sys.stdout = sys.stdout, sys.stderr
    steps = way(name, Path(config_path))
    for count in asked():
        began = time.process_time()
        found = steps(count)
        say.write(json.dumps({**found, "whole_cpu_seconds": time.process_time() - began}) + "\n")
        say.flush()


if __name__ == "__main__":
    main()
