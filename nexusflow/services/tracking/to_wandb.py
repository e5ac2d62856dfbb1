"""A run logged to Weights & Biases: online where WANDB_API_KEY is set, else as files beside the runs.

`wandb sync` sends those files later; WANDB_MODE has the last word.
"""

import io
import os
from collections.abc import Mapping
from typing import Any

from nexusflow.services.tracking.tracker import Outcome, Subject, safe_name


class WandbTracker:
    """One run in Weights & Biases: configuration, metrics per epoch, final figures, and the model as an artifact."""

    def __init__(self, subject: Subject) -> None:
        import wandb

        self.subject, self.wandb = subject, wandb
        self.run: Any = None

    def begin(self) -> str:
        """Open a run under our own id, so that one that goes on is the same run there."""
        subject = self.subject
        mode: Any = os.environ.get("WANDB_MODE") or (
            "online" if os.environ.get("WANDB_API_KEY") else "offline"
        )
        subject.store.root.mkdir(parents=True, exist_ok=True)
        self.run = self.wandb.init(
            project=safe_name(subject.experiment).replace("/", "_")[:120],
            id=subject.run_id,
            name=subject.name,
            notes=subject.question,
            dir=str(subject.store.root),
            mode=mode,
            resume="allow" if mode == "online" else None,
            reinit="create_new",
            settings=self.wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                save_code=False,
                x_disable_stats=not subject.mlops.performance_monitoring,
            ),
        )
        self.run.define_metric("*", step_metric="epoch")
        return self.run.url if mode == "online" else f"offline files in {self.run.settings.sync_dir}"

    def settings(self, settings: Mapping[str, str]) -> None:
        """The configuration."""
        self.run.config.update(dict(settings), allow_val_change=True)

    def step(self, metrics: Mapping[str, float], step: int) -> None:
        """Figures of an epoch."""
        self.run.log({**metrics, "epoch": step})

    def end(self, outcome: Outcome) -> str:
        """Final figures as the summary, the model as an artifact, the attention as a table and a picture."""
        self.run.summary.update({**outcome.metrics, "status": outcome.status})
        if outcome.attention is not None and outcome.picture is not None:
            self._attention(outcome)
        if outcome.model is not None:
            name = f"model-{self.subject.run_id}"
            artifact = self.wandb.Artifact(name, type="model", metadata={"question": self.subject.question})
            if outcome.model.is_dir():
                artifact.add_dir(str(outcome.model))
            else:
                artifact.add_file(str(outcome.model))
            self.run.log_artifact(artifact)
        self.run.finish(exit_code=0 if outcome.status == "finished" else 1)
        return ""

    def _attention(self, outcome: Outcome) -> None:
        from PIL import Image

        assert outcome.attention is not None and outcome.picture is not None
        frame = outcome.attention.rename_axis("looks from").reset_index()
        picture = self.wandb.Image(Image.open(io.BytesIO(outcome.picture)))
        self.run.log({"attention": self.wandb.Table(dataframe=frame), "attention map": picture})
