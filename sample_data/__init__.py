"""Small bundled databases: where their files lie, and what they are about."""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A bundled database; `folder` holds its CSV tables, `schema.json` and `task.json`."""

    name: str
    title: str
    description: str

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return FOLDER / self.name


SAMPLES = {
    sample.name: sample
    for sample in (
        Sample(
            name="churn",
            title="Customer churn",
            description="5,000 customers with transactions and support tickets, generated so that the truth is known.",
        ),
        Sample(
            name="flights",
            title="Late flights",
            description="Flights out of New York in January 2013 with planes, airports, airlines and weather.",
        ),
    )
}


def sample_tables(name: str) -> list[Path]:
    """The CSV files of a sample, the entity table first."""
    return sorted(SAMPLES[name].folder.glob("*.csv"), key=lambda path: (path.stem not in ENTITIES, path.stem))


ENTITIES = ("customers", "flights")
