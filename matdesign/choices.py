"""The tree of configuration choices: where it lies and what each of its groups offers."""

from pathlib import Path

# Beside the package in a source tree, inside it once installed from a wheel.
CONF = next(
    folder for folder in (Path(__file__).parent / "conf", Path(__file__).parent.parent / "conf") if folder.is_dir()
)


def groups(*folders: Path) -> dict[str, list[str]]:
    """Names of the groups in these folders and of the choices in each: {"env": ["atoms/cluster", ...], ...}."""
    found: dict[str, set[str]] = {}
    for folder in folders:
        for file in folder.glob("*/**/*.yaml"):
            group, *choice = file.relative_to(folder).with_suffix("").parts
            found.setdefault(group, set()).add("/".join(choice))
    return {group: sorted(found[group]) for group in sorted(found)}
