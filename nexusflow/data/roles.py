"""Table roles: the ways in which tables are reached from the seed row along foreign keys."""

from dataclasses import dataclass, replace

from nexusflow.data.schema import ForeignKey, Schema

# Attention between roles grows with their square, and names and pictures of more are past reading.
MAX_ROLES = 12


@dataclass(frozen=True, kw_only=True)
class Hop:
    """One step along a foreign key; `down` goes from a parent row to its children, else to the parent."""

    key: ForeignKey
    down: bool

    @property
    def table(self) -> str:
        """The table this step arrives at."""
        return self.key.child_table if self.down else self.key.parent_table


@dataclass(frozen=True, kw_only=True)
class Role:
    """A table reached by one path from the seed; `parent` is the role the last hop starts from.

    The seed itself is role 0 with an empty path. The same table by two paths is two roles. A role is `single`
    when it has at most one row per seed (only steps to parents). `name` is unique among the roles: the table's name,
    or `airports via dest` where the table has several roles.
    """

    table: str
    path: tuple[Hop, ...]
    parent: int
    name: str = ""

    @property
    def hops(self) -> int:
        """The number of steps from the seed."""
        return len(self.path)

    @property
    def single(self) -> bool:
        """Whether at most one row per seed can be reached."""
        return not any(hop.down for hop in self.path)


def find_roles(
    schema: Schema, entity_table: str, *, hops: int, max_roles: int = MAX_ROLES
) -> tuple[Role, ...]:
    """Every role within `hops` steps of the seed, nearest first, at most `max_roles`.

    A path never goes straight back to the row it came from, and goes to siblings (up a key and down the same
    key) only where the table has a time column, so that the past of a shared parent may be read.
    """
    roles = [Role(table=entity_table, path=(), parent=-1)]
    frontier = [0]
    for _ in range(hops):
        reached: list[int] = []
        for at in frontier:
            for hop in _steps(schema, roles[at]):
                if len(roles) < max_roles:
                    roles.append(Role(table=hop.table, path=(*roles[at].path, hop), parent=at))
                    reached.append(len(roles) - 1)
        frontier = reached
    return tuple(replace(role, name=name) for role, name in zip(roles, _names(roles), strict=True))


def within_hops(schema: Schema, entity_table: str, *, hops: int) -> tuple[str, ...]:
    """The tables that `find_roles` comes to where it may take as many roles as it likes, nearest first."""
    seed = Role(table=entity_table, path=(), parent=-1)
    found, frontier, seen = {entity_table: None}, [seed], set()
    for _ in range(hops):
        reached = []
        for role in frontier:
            for hop in _steps(schema, role):
                ahead = replace(seed, table=hop.table, path=(*role.path, hop))
                # Where a path goes on depends on no more than this: there are many paths, and few of these.
                if (hop, ahead.single) not in seen:
                    seen.add((hop, ahead.single))
                    found[hop.table] = None
                    reached.append(ahead)
        frontier = reached
    return tuple(found)


def _names(roles: list[Role]) -> list[str]:
    """The shortest of three ways of naming that tells the roles of a table apart."""
    names = [role.table for role in roles]
    for describe in (_by_columns, _by_path):
        repeated = {name for name in names if names.count(name) > 1}
        names = [
            describe(role) if name in repeated and role.path else name
            for role, name in zip(roles, names, strict=True)
        ]
    return names


def _by_columns(role: Role) -> str:
    return f"{role.table} via {' / '.join('+'.join(hop.key.child_columns) for hop in role.path)}"


def _by_path(role: Role) -> str:
    steps = [f"{hop.table} by {'+'.join(hop.key.child_columns)}" for hop in role.path]
    return f"{role.table} via {' / '.join(steps)}"


def _steps(schema: Schema, role: Role) -> list[Hop]:
    last = role.path[-1] if role.path else None
    steps = []
    for key in schema.foreign_keys:
        if key.child_table == role.table and not (last and last.key == key and last.down):
            steps.append(Hop(key=key, down=False))
        if key.parent_table == role.table and not schema[key.child_table].seeds_only:
            back = last is not None and last.key == key and not last.down
            if not back or (role.single and schema[key.child_table].time_column):
                steps.append(Hop(key=key, down=True))
    return steps
