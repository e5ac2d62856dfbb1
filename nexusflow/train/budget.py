"""How long to train where nobody says: by the work that an epoch is."""

from nexusflow.config import TrainingConfig
from nexusflow.data.reader import Reader
from nexusflow.data.task import Part

MOST_EPOCHS = 30
# Rows times roles that a run reads in all: about ten minutes on two cores of 2020s make.
ROLE_ROWS = 2_400_000


def usual_epochs(rows: int, roles: int) -> int:
    """As many epochs over this many training rows as the work allows, between 1 and 30; the same on every machine."""
    return max(1, min(MOST_EPOCHS, round(ROLE_ROWS / max(1, rows * roles))))


def settle(training: TrainingConfig, reader: Reader) -> TrainingConfig:
    """The settings with what was left open filled in."""
    if training.epochs is not None:
        return training
    rows = int((reader.examples.part_N == str(Part.TRAIN)).sum())
    return training.model_copy(update={"epochs": usual_epochs(rows, len(reader.layout.roles))})
