"""Actions of several columns with different numbers of choices, and policies that see pictures or records."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from matdesign.agents.actor import Actor
from matdesign.agents.convolution import ConvolutionalPolicy
from matdesign.agents.distributions import Head
from matdesign.agents.policies import MLPPolicy
from matdesign.agents.records import RecordPolicy
from matdesign.errors import InputError
from matdesign.vector.spaces import Layout


def test_uneven_choices_are_independent_categoricals() -> None:
    """Against torch's own distributions, column by column."""
    head = Head(3, (2, 5, 1))
    assert head.inputs == 15
    assert head.log_sigma(0.0) is None
    output = torch.randn(4000, 15, generator=torch.Generator().manual_seed(0), requires_grad=True)
    distribution = head(output, None)
    columns = [torch.distributions.Categorical(logits=output.view(-1, 3, 5)[:, i, :n]) for i, n in enumerate((2, 5, 1))]
    actions = distribution.sample(torch.Generator().manual_seed(1))
    assert (actions >= 0).all()
    assert (actions < torch.tensor([2, 5, 1])).all()
    expected = sum(column.log_prob(actions[:, i]) for i, column in enumerate(columns))
    log_probs, entropy = distribution.evaluate(actions)
    assert torch.allclose(log_probs, expected, atol=1e-5)
    assert torch.allclose(entropy, sum(column.entropy() for column in columns), atol=1e-5)
    shares = torch.bincount(actions[:, 1]) / 4000
    assert torch.allclose(shares, columns[1].probs.mean(0), atol=0.05)
    torch.autograd.backward((entropy + log_probs).sum())
    assert output.grad.isfinite().all()
    assert not output.grad.view(-1, 3, 5)[:, 0, 2:].any()


def test_equal_choices_may_be_given_as_one_number() -> None:
    one, other = (MLPPolicy(4, 2, choices, seed=3) for choices in (3, (3, 3)))
    seen = torch.randn(5, 4)
    generator = torch.Generator().manual_seed(2)
    actions = Actor(one, generator)(seen)
    assert torch.equal(actions, Actor(other, generator.manual_seed(2))(seen))


@pytest.mark.parametrize("choices", [(6,), ()])
def test_pictures(choices: tuple[int, ...]) -> None:
    policy = ConvolutionalPolicy((4, 84, 84), 1, choices, seed=1)
    rows = torch.randint(0, 256, (3, 4 * 84 * 84), dtype=torch.uint8)
    distribution, values = policy(policy.encode(rows))
    assert values.shape == (3,)
    assert distribution.mode().shape == (3, 1)
    assert (policy.log_sigma is None) == bool(choices)
    again = ConvolutionalPolicy((4, 84, 84), 1, choices, seed=1)
    assert torch.equal(again(rows)[1], values)
    assert torch.allclose(policy(rows[1:2])[1], values[1:2], atol=1e-5)  # a row depends on no other


@pytest.mark.parametrize(("height", "width", "inputs"), [(20, 20, 32), (19, 40, 32 * 15 * 36), (5, 7, 32 * 3)])
def test_small_pictures_have_small_filters(height: int, width: int, inputs: int) -> None:
    policy = ConvolutionalPolicy((3, height, width), 1, 4)
    rows = torch.randint(0, 256, (2, 3 * height * width), dtype=torch.uint8)
    assert policy.inputs(policy.encode(rows)).shape == (2, inputs)


def test_a_picture_too_small_for_filters_is_refused() -> None:
    with pytest.raises(InputError, match="4 x 7 is too small for filters"):
        ConvolutionalPolicy((3, 4, 7), 1, 4)


def test_records_become_numbers() -> None:
    space = spaces.Dict(
        a=spaces.Box(-9, 9, (2,), np.dtype(">f8")), b=spaces.Discrete(3, start=5), c=spaces.MultiBinary(2)
    )
    layout = Layout(space)
    rows = np.stack(
        [
            layout.flatten({"a": np.array([1.5, -2]), "b": 6, "c": np.array([0, 1])}),
            layout.flatten({"a": np.array([0, 8]), "b": 5, "c": np.array([1, 1])}),
        ]
    )
    policy = RecordPolicy(layout, 1, (2,))
    numbers = policy.encode(torch.from_numpy(rows))
    assert numbers.tolist() == [[1.5, -2, 0, 1, 0, 1, 0, 0, 1], [0, 8, 1, 0, 0, 0, 1, 0, 1]]
    assert policy(numbers)[1].shape == (2,)
    with pytest.raises(InputError, match=r"observation\['b'\] is one of 100000"):
        RecordPolicy(Layout(spaces.Dict(b=spaces.Discrete(100000))), 1, (2,))
