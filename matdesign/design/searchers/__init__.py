"""Ways to search a space of decorations, all behind `Searcher.ask` and `Searcher.tell`."""

from matdesign.design.searchers.annealing import Annealing
from matdesign.design.searchers.bayesian import Bayesian
from matdesign.design.searchers.genetic import Genetic
from matdesign.design.searchers.hill_climbing import HillClimbing
from matdesign.design.searchers.policy import PolicySearch
from matdesign.design.searchers.random import RandomSearch
from matdesign.design.searchers.searcher import Searcher

SEARCHERS: dict[str, type[Searcher]] = {
    kind.name: kind for kind in (PolicySearch, RandomSearch, HillClimbing, Annealing, Genetic, Bayesian)
}
