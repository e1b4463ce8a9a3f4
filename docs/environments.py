"""Writes docs/environments.md from what the compiled environments say about themselves.

python docs/environments.py
"""

from pathlib import Path

from matdesign.envs import built_in, load

PAGE = Path(__file__).parent / "environments.md"
HEAD = """\
# Environments and their settings

Set on the command line as `env.settings.NAME=VALUE`, or in a file of `conf/env/`. `l0` and `e0` are the material's
`length_scale` and `energy_scale`, v0 = sqrt(e0 / mean mass), f0 = e0 / l0. This page is written by
`docs/environments.py` from the tables in `matdesign/envs/*.c`.
"""
DERIVED = {
    "commands",
    "types",
    "positions",
    "starts",
    "colours",
    "radii",
    "length_scale",
    "energy_scale",
    "species",
    "measurer",
    "samples",
    "parts",
    "reachable",
    "target_value",
}


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for name in built_in():
        environment = load(name)
        parts.append(f"\n## {name}\n\n{environment.summary[0].upper()}{environment.summary[1:]}.\n")
        parts.append("\n| setting | default | from | to | what it is |\n|---|---|---|---|---|\n")
        for setting in environment.settings:
            if setting.name in DERIVED:
                continue
            number = setting.kind in ("number", "integer")
            bounds = [f"{value:g}" if number else "" for value in (setting.default, setting.low, setting.high)]
            parts.append(f"| `{setting.name}` | {' | '.join(bounds)} | {setting.help} |\n".replace("nan", "none"))
        figures = ", ".join(f"`{figure}`" for figure in environment.log_names)
        parts.append(f"\nFigures of an ended episode: {figures}.\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
    print(PAGE)
