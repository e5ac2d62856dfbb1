"""Where in a YAML file a setting stands."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import yaml

from nexusflow.errors import NexusFlowError, Problem, Severity

Place = tuple[str, ...]


class Lines:
    """The line, counted from 1, of every key and list item of YAML text, and the keys that are given twice.

    What an alias stands for has its line where it is first written.
    """

    def __init__(self, text: str) -> None:
        self.of: dict[Place, int] = {}
        self.twice: list[tuple[Place, int, int]] = []
        self._walked: set[int] = set()
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            self._walk(root, ())

    def find(self, place: Place) -> int | None:
        """The line of the place, or of the nearest one around it that is there."""
        for length in range(len(place), 0, -1):
            if place[:length] in self.of:
                return self.of[place[:length]]
        return None

    def _walk(self, node: yaml.Node, place: Place) -> None:
        # Aliases may go round in circles, or stand for more than there is time to look at.
        if id(node) in self._walked:
            return
        self._walked.add(id(node))
        if isinstance(node, yaml.MappingNode):
            seen: dict[str, int] = {}
            for key, value in node.value:
                name, line = str(key.value), key.start_mark.line + 1
                if name in seen:
                    self.twice.append(((*place, name), seen[name], line))
                seen[name] = self.of[*place, name] = line
                self._walk(value, (*place, name))
        elif isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                self.of[*place, str(number)] = item.start_mark.line + 1
                self._walk(item, (*place, str(number)))


def given_twice(text: str) -> list[Problem]:
    """An error for every key that stands twice in one place: YAML would pass over the first in silence."""
    return [
        Problem(
            severity=Severity.ERROR,
            message=f"{place[-1]} is given twice, in lines {first} and {second}.",
            fix="Keep one of them.",
            setting=".".join(place),
        )
        for place, first, second in Lines(text).twice
    ]


@contextmanager
def told_by_line(text: str, source: str) -> Iterator[None]:
    """Within it, what is wrong with a setting of this YAML text is told with its file and line."""
    try:
        yield
    except NexusFlowError as error:
        lines = Lines(text)
        raise type(error)(*[_located(problem, lines, source) for problem in error.problems]) from None


def _located(problem: Problem, lines: Lines, source: str) -> Problem:
    if not problem.setting:
        return problem
    line = lines.find(tuple(problem.setting.split(".")))
    return replace(problem, file=problem.file or source, line=line)
