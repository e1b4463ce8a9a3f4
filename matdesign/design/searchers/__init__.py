"""Ways to search a space of designs, all behind `Searcher.ask` and `Searcher.tell`.

`steering.Steering` is not in the list: it is made of a trained policy and its environments.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from matdesign.design.searchers.annealing import Annealing
from matdesign.design.searchers.basin_hopping import BasinHopping
from matdesign.design.searchers.bayesian import Bayesian
from matdesign.design.searchers.cma_es import CMAES
from matdesign.design.searchers.genetic import Genetic
from matdesign.design.searchers.hill_climbing import HillClimbing
from matdesign.design.searchers.md_annealing import MDAnnealing
from matdesign.design.searchers.minima_hopping import MinimaHopping
from matdesign.design.searchers.policy import PolicySearch
from matdesign.design.searchers.random import RandomSearch
from matdesign.design.searchers.searcher import Searcher
from matdesign.design.spaces.space import Space
from matdesign.errors import InputError
from matdesign.typed import closest, convert

SEARCHERS: dict[str, type[Searcher]] = {
    kind.name: kind
    for kind in (
        PolicySearch,
        RandomSearch,
        HillClimbing,
        Annealing,
        BasinHopping,
        MinimaHopping,
        MDAnnealing,
        Genetic,
        CMAES,
        Bayesian,
    )
}

GIVEN = ("space", "measured", "material", "seed", "library", "cache", "show")  # by the job, not by settings


def make_searcher(name: str, space: Space, settings: Mapping[str, Any], *, seed: int) -> Searcher:
    """The searcher of that name.

    Args:
        name: in `SEARCHERS`.
        space: where it searches.
        settings: arguments of its own, by their names.
        seed: of all its randomness.

    Raises:
        InputError: no such searcher or setting, a value of another type, a space that it cannot search.
    """
    if name not in SEARCHERS:
        raise InputError(
            f"search.method={name} is unknown{closest(name, list(SEARCHERS))} (available: {', '.join(SEARCHERS)})"
        )
    kind = SEARCHERS[name]
    if not isinstance(space, kind.spaces):
        kinds = " and ".join(each.__name__.lower() for each in kind.spaces)
        raise InputError(
            f"search={name} searches {kinds}, not {type(space).__name__.lower()}: use one of {', '.join(suited(space))}"
        )
    return kind(space, seed=seed, **checked(kind, settings, name))


def checked(called: Callable[..., Any], settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Settings as the keyword arguments of what is called for the method of that name; raises as `make_searcher`."""
    hints = {
        known.name: known.annotation
        for known in inspect.signature(called, eval_str=True).parameters.values()
        if known.name not in GIVEN
    }
    for key in settings:
        if key not in hints:
            raise InputError(
                f"search.settings.{key} is no setting of {name}{closest(key, list(hints))} (available: "
                f"{', '.join(hints) or 'none'})"
            )
    return {key: convert(hints[key], value, f"search.settings.{key}") for key, value in settings.items()}


def suited(space: Space) -> list[str]:
    """Names of those that can search this space."""
    return [name for name, kind in SEARCHERS.items() if isinstance(space, kind.spaces)]
