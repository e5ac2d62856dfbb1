"""A run logged to standard output, a line per epoch, such as `churn run=... step=3 train_loss=0.41 ...`."""

import sys
from collections.abc import Mapping

from nexusflow.services.tracking.tracker import Outcome, Subject
from nexusflow.services.words import plain


class StdoutTracker:
    """Lines of `name=value`, each with the experiment and the run in front."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.head = f"{plain(subject.experiment)} run={subject.run_id}"

    def begin(self) -> str:
        """The first line: the run's name and question."""
        self._say(f"name={plain(self.subject.name)!r} question={plain(self.subject.question)!r}")
        return "a line per epoch"

    def settings(self, settings: Mapping[str, str]) -> None:
        """A line per setting."""
        for name, value in settings.items():
            self._say(f"setting {plain(name)}={plain(value)!r}")

    def step(self, metrics: Mapping[str, float], step: int) -> None:
        """A line per epoch or trial."""
        self._say(f"step={step} {_told(metrics)}")

    def end(self, outcome: Outcome) -> str:
        """The final figures, the model's place, and the map of attention in lines."""
        self._say(f"status={outcome.status} {_told(outcome.metrics)}")
        if outcome.model is not None:
            self._say(f"model={outcome.model}")
        if outcome.attention is not None:
            for role, line in outcome.attention.iterrows():
                looks = " ".join(f"{plain(name)!r}={value:.3f}" for name, value in line.items())
                self._say(f"attention from={plain(role)!r} {looks}")
        return ""

    def _say(self, text: str) -> None:
        print(self.head, text, file=sys.stdout, flush=True)


def _told(metrics: Mapping[str, float]) -> str:
    return " ".join(f"{name.replace(' ', '_')}={value:.6g}" for name, value in metrics.items())
