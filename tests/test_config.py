import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import pytest

from matdesign.choices import CONF, groups
from matdesign.config import dump, load, load_design, load_stored, load_stored_design
from matdesign.design_sections import DesignConfig
from matdesign.errors import InputError
from matdesign.sections import Config
from matdesign.typed import Range, build, keys

CHOICES = [
    (group, name) for group, names in groups(CONF).items() for name in names if (group, name) != ("material", "file")
]


MORE = {  # what a choice leaves open
    ("target", "minimise"): ["target.property=density"],
    ("target", "maximise"): ["target.property=density"],
    ("target", "hit"): ["target.property=density", "target.value=1.7"],
    ("target", "conductivity"): ["target.value=0.1"],
}


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_every_choice_makes_a_valid_configuration_that_survives_storage(group, name, tmp_path):
    stored = tmp_path / "config.yaml"
    overrides = [f"{group}={name}", *MORE.get((group, name), [])]
    for kind, read, again in ((Config, load, load_stored), (DesignConfig, load_design, load_stored_design)):
        if group in keys(kind):
            config = read(overrides)
            stored.write_text(dump(config))
            # Lists and tuples look alike in YAML, so compare what a second round gives.
            assert dump(again(stored)) == dump(config)
            assert again(stored).agent == config.agent


def test_the_default_design():
    config = load_design()
    assert (config.material.name, config.target.property.name) == (
        "argon_isotopes",
        "device_conductivity_lattice_dynamics",
    )
    assert (config.target.goal, config.target.verified_by.name) == ("minimise", "device_conductivity")
    assert config.search.method == "policy"


def test_a_value_is_there_to_be_hit():
    assert load_design(["target.value=0.06"]).target.goal == "hit"
    with pytest.raises(InputError, match=r"no value yet for target\.property"):
        load_design(["target=maximise"])


def test_properties_are_named_and_their_protocol_set():
    config = load_design(["target=hit", "target.property=density", "target.property.temperature=40", "target.value=2"])
    assert config.target.property.temperature == 40.0
    also = load_design(["target.also=[{property: {name: q6}, goal: maximise, weight: 2}]"]).target.goals[1]
    assert (also.property.name, also.weight) == ("q6", 2.0)
    bounds = load_design(["target.constraints=[{property: density, minimum: 1.5}]"]).target.constraints
    assert (bounds[0].property.name, bounds[0].minimum, bounds[0].maximum) == ("density", 1.5, None)


BAD_DESIGNS = {
    "target.property=densty": "did you mean density",
    "target.property.temprature=3": "target.property.temprature",
    "target.goal=best": "target.goal=best must be one of minimise, maximise, hit",
    "target.tolerance=-1": "target.tolerance=-1.0 must lie between",
    "target.constraints=[{property: density, least: 2}]": "unknown setting target.constraints",
    "search.designs=0": "search.designs=0 must lie between",
    "search.compare=[policy]": "name each method once",
    "space.cell=true": "space.cell=True must be one of",
    "verification.rel_error=0.1": "exclude each other",
    "evaluaton.episodes=3": "unknown setting 'evaluaton.episodes'",
}


@pytest.mark.parametrize("override", BAD_DESIGNS, ids=repr)
def test_bad_override_of_a_design(override):
    with pytest.raises(InputError, match=BAD_DESIGNS[override]):
        load_design([override])


def test_a_design_is_no_training_run(tmp_path):
    stored = tmp_path / "config.yaml"
    stored.write_text(dump(load_design()))
    with pytest.raises(InputError, match="is of matdesign design: give the folder of a run of matdesign train"):
        load_stored(stored)


def test_default_job():
    config = load()
    assert (config.material.name, config.material.structure.atoms, config.env.name) == ("argon_cluster", 13, "atoms")
    assert config.output is None
    assert not config.quiet


def test_overrides_reach_their_place_with_their_type():
    config = load(
        [
            "material=copper",
            "material.structure.repeat=[2,2,2]",
            "env.settings.horizon=7",
            "env.settings.weights=[1,2.5]",
            "agent.ppo.total_agent_steps=2e6",
            "agent.time_limit=3",
            "output=a folder/${material.name}",
            "quiet=true",
        ]
    )
    assert config.material.structure.repeat == [2, 2, 2]
    assert config.env.settings["horizon"] == 7
    assert config.env.settings["weights"] == [1.0, 2.5]
    assert config.agent.ppo.total_agent_steps == 2_000_000
    assert isinstance(config.agent.ppo.total_agent_steps, int)
    assert config.agent.time_limit == 3.0
    assert config.output == "a folder/copper"
    assert config.quiet


def test_environment_brings_its_own_agent_unless_one_is_chosen():
    assert load(["env=squared"]).agent.policy.kind == "mlp"
    assert load(["env=squared", "agent=ppo"]).agent.policy.kind == "auto"


BAD = {
    "agnt.ppo.gamma=1": "did you mean agent.ppo.gamma",
    "agent.ppo.gama=1": "did you mean agent.ppo.gamma",
    "material=coper": "did you mean copper.*available: .*argon_cluster",
    "env=atoms": "env=atoms is no choice.*atoms/cluster, atoms/order, atoms/steer, .*squared",
    "hydra.run.dir=x": "unknown setting 'hydra.run.dir'",
    "seed": "write KEY=VALUE",
    "seed=[1": "write KEY=VALUE",
    "seed=1,2": "one value",
    "+seed=1": "must be KEY=VALUE",
    "~target": "must be KEY=VALUE",
    "seed=-1": "seed=-1 must lie between",
    "seed=1.5": "seed=1.5 must be a whole number",
    "quiet=maybe": "quiet='maybe' must be true or false",
    "env.envs=0": "env.envs=0 must lie between 1 and",
    "env.threads=-2": "env.threads=-2 must lie between",
    "agent.threads=0": "agent.threads=0 must lie between",
    "agent.policy.hidden=64": "must be a list",
    "agent.policy.hidden=[64,0]": r"agent.policy.hidden\[1\]=0 must lie between",
    "agent.policy.kind=ml": "did you mean mlp",
    "agent.policy.log_sigma=1": "must lie between log_sigma_minimum",
    "agent.ppo.gamma=2": "gamma = 2.0",
    "agent.ppo.learning_rate=nan": "must be a finite number",
    "agent.ppo.epochs=few": "agent.ppo.epochs='few' must be a whole number",
    "agent.ppo=3": "must be a group of settings",
    "agent.time_limit=-1": "agent.time_limit=-1.0 must lie between",
    "material.timestep=100": "timestep 100.0 ps is absurd",
    "material.timestep=0": "timestep is 0.0",
    "material.masses=[-1]": "mass -1.0",
    "material.species=[Xy]": "'Xy' is not a chemical symbol",
    "material.structure.foo=1": "unknown setting 'material.structure.foo'",
    "output='a\nb'": "line break or another control character",
    "output=\x07": "control character",
    "output=a$HOME": r"'\$' in it",
    "env.settings.library='$(ls)'": r"'\$' in it",
    "material.pair_coeff=['* * $x']": r"'\$' in it",
    "output=${nothing}": "nothing",
    "env.settings._target_=os.system": "names no code",
    "env.settings={_target_: os.system}": "names no code",
}


@pytest.mark.parametrize("override", BAD, ids=repr)
def test_bad_override(override):
    with pytest.raises(InputError, match=BAD[override]) as caught:
        load([override])
    assert "\n" not in str(caught.value)


def test_material_of_the_users_own_files_says_what_is_missing():
    with pytest.raises(InputError, match=r"no value yet for material.energy_scale, .*material.structure.path"):
        load(["material=file"])


def test_missing_and_foreign_potential():
    with pytest.raises(InputError, match=r"nowhere.eam"):
        load(["material=copper", "material.potential=nowhere.eam"])
    with pytest.raises(InputError, match=r"Al_jnp.eam"):
        load(["material=copper", "material.potential=Al_jnp.eam"])


COPPER = (CONF / "material" / "copper.yaml").read_text()


def test_own_choices_from_a_folder(tmp_path):
    folder = tmp_path / "my, choices"
    (folder / "material").mkdir(parents=True)
    (folder / "material" / "mine.yaml").write_text(COPPER.replace("name: copper", "name: mine"))
    assert load(["material=mine"], folder).material.name == "mine"
    assert load(["material=copper"], folder).material.name == "copper"
    with pytest.raises(InputError, match=r"available: .*mine"):
        load(["material=yours"], folder)


def test_own_choices_that_cannot_be_used(tmp_path):
    with pytest.raises(InputError, match="no choices"):
        load([], tmp_path)
    (tmp_path / "material").mkdir()
    mine = tmp_path / "material" / "copper.yaml"
    mine.write_text(COPPER)
    with pytest.raises(InputError, match="name of a built-in choice"):
        load([], tmp_path)
    mine.unlink()
    for text, message in {
        "name: [": "cannot compose",
        "_target_: os.system": "names no code",
        COPPER + "\nextra: 1\n": "unknown setting material.extra",
        COPPER.replace("name: copper", ""): "material.name has no value",
    }.items():
        (tmp_path / "material" / "mine.yaml").write_text(text)
        with pytest.raises(InputError, match=message):
            load(["material=mine"], tmp_path)
    (tmp_path / "materials").mkdir()
    (tmp_path / "materials" / "other.yaml").write_text(COPPER)
    with pytest.raises(InputError, match="is no group; did you mean material"):
        load([], tmp_path)


def test_stored_configuration_is_checked_again(tmp_path):
    stored = tmp_path / "config.yaml"
    good = dump(load(["seed=7"]))
    stored.write_text(good)
    assert load_stored(stored).seed == 7
    for text, message in {
        good.replace("seed: 7", "seed: many"): "seed='many' must be a whole number",
        good.replace("seed: 7", "sed: 7"): "unknown setting sed; did you mean seed",
        good.replace("seed: 7\n", ""): "seed has no value",
        good.replace("timestep: 0.02", "timestep: 99"): "absurd",
        good + "_target_: os.system\n": "names no code",
        "[1, 2]": "no configuration",
        "a: [": "cannot read",
        "[" * 5000: "cannot read",
        "a: &a [x]\nb: [*a, *a]": "has YAML aliases",
    }.items():
        assert text != good
        stored.write_text(text)
        with pytest.raises(InputError, match=message):
            load_stored(stored)
    stored.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot read"):
        load_stored(stored)
    with pytest.raises(InputError, match="cannot read"):
        load_stored(tmp_path / "nothing.yaml")


def test_stored_configuration_takes_overrides_and_whole_groups(tmp_path):
    stored = tmp_path / "config.yaml"
    stored.write_text(dump(load(["seed=7", "agent.ppo.gamma=0.5"])))
    config = load_stored(stored, ["material=copper", "material.structure.repeat=[2,2,2]", "evaluation.episodes=3"])
    assert (config.material.name, list(config.material.structure.repeat)) == ("copper", [2, 2, 2])
    assert (config.seed, config.agent.ppo.gamma, config.evaluation.episodes) == (7, 0.5, 3)


@dataclass(frozen=True)
class Inner:
    kind: Literal["a", "b"]
    pair: tuple[int, float] = (1, 2.0)
    many: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outer:
    inner: Inner
    level: Annotated[float, Range(0, 1)] | None = None
    value: bool | float | list[float] = 0.0
    table: dict[str, int] | None = None

    def __post_init__(self):
        if self.value == 13:
            raise ValueError("not thirteen")


def test_build_understands_its_types():
    built = build(Outer, {"inner": {"kind": "a", "pair": [3, 4], "many": ["x"]}, "level": 1, "table": {"n": 2.0}})
    assert built == Outer(Inner("a", (3, 4.0), ("x",)), 1.0, 0.0, {"n": 2})
    assert build(Outer, {"inner": {"kind": "b"}, "level": None, "value": True}).value is True


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inner": {"kind": "c"}}, "inner.kind=c must be one of a, b"),
        ({"inner": {}}, "inner.kind has no value"),
        ({"inner": {"kind": "a", "pair": [1]}}, "inner.pair=.* must have 2 values"),
        ({"inner": {"kind": "a", "many": "x"}}, "must be a list"),
        ({"level": 1.5}, "level=1.5 must lie between 0 and 1"),
        ({"level": math.inf}, "finite"),
        ({"value": "x"}, "value='x' must be true or false or a number or a list"),
        ({"value": 13}, "not thirteen"),
        ({"table": {"n": 0.5}}, "table.n=0.5 must be a whole number"),
        ({"level": True}, "level=True must be a number"),
        ({"levle": 1}, "unknown setting levle; did you mean level"),
    ],
)
def test_build_refuses(change, message):
    with pytest.raises(InputError, match=message):
        build(Outer, {"inner": {"kind": "a"}} | change)


def test_configurations_are_frozen():
    config = load()
    with pytest.raises(AttributeError):
        config.seed = 1
    assert replace(config, seed=1).seed == 1


def test_a_stored_run_does_not_load_code_by_itself(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(dump(load(["env=squared", "env.library=theirs.so", "lammps.library=other.so"])))
    with pytest.raises(InputError, match=r"loads code from theirs.so: .* add env.library=theirs.so"):
        load_stored(path)
    with pytest.raises(InputError, match=r"add lammps.library=other.so"):
        load_stored(path, ["env.library=theirs.so"])
    config = load_stored(path, ["env.library=mine.so", "lammps.library=other.so"])
    assert config.env.library == "mine.so"
