"""What answers are worth: by hand, for classes of images and of pixels, for values, for several outputs."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from hotnas_hls.models.task import FIDELITY, Classes, Task, Values, answers_of, values_of

PIXELS = Classes(pixels=True)


def one_hot(labels: torch.Tensor, classes: int) -> tuple[torch.Tensor]:
    """Answers (B, classes, ...) whose largest channel is the label."""
    return (F.one_hot(labels, classes).movedim(-1, 1).float(),)


def test_accuracy_is_the_share_of_images_that_are_right() -> None:
    found = one_hot(torch.tensor([[[0]], [[1]], [[2]], [[1]]]), 3)
    assert Classes().score(found, torch.tensor([0, 1, 2, 2])) == 0.75
    assert Classes().measure == "accuracy"


def test_intersection_over_union_by_hand() -> None:
    found = one_hot(torch.tensor([[[0, 0, 1, 1]], [[0, 0, 0, 0]]]), 4)
    wanted = torch.tensor([[[0, 1, 1, 1]], [[0, 0, 0, 3]]])
    # class 0: 4 of 6, 1: 2 of 3, 2: nowhere, 3: 0 of 1
    assert PIXELS.score(found, wanted) == pytest.approx((4 / 6 + 2 / 3 + 0) / 3)
    assert PIXELS.measure == "mean IoU"


def test_pixels_without_a_label_count_nowhere() -> None:
    found = one_hot(torch.tensor([[[0, 1, 1]]]), 2)
    wanted = torch.tensor([[[0, 1, -1]]])
    assert PIXELS.score(found, wanted) == 1.0
    assert PIXELS.loss(found, wanted) == PIXELS.loss((found[0][..., :2],), wanted[..., :2])
    assert PIXELS.score(found, torch.full((1, 1, 3), -1)) == 1.0


def test_what_pixels_are_taught_is_the_mean_over_them() -> None:
    torch.manual_seed(0)
    answers, taught = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    labels = torch.randint(0, 3, (2, 4, 5))
    assert PIXELS.loss((answers,), labels) == pytest.approx(float(F.cross_entropy(answers, labels)), rel=1e-6)
    soft = -(torch.softmax(taught / 2, 1) * torch.log_softmax(answers / 2, 1)).sum(1).mean()
    assert PIXELS.lesson((answers,), (taught,), 2.0) == pytest.approx(4 * float(soft), rel=1e-6)
    apart = F.kl_div(torch.log_softmax(answers, 1), torch.softmax(taught, 1), reduction="none").sum(1).mean()
    assert PIXELS.divergence((answers,), (taught,)) == pytest.approx(float(apart), rel=1e-5)
    assert PIXELS.divergence((taught,), (taught,)) == 0


def test_values_are_worth_the_variance_they_explain() -> None:
    torch.manual_seed(0)
    wanted = torch.randn(50, 2, 3, 3) + torch.tensor([5.0, -5.0])[:, None, None]
    labels = wanted.flatten(1)
    assert FIDELITY.score((wanted,), labels) == 1.0
    mean = wanted.mean((0, 2, 3), keepdim=True).expand_as(wanted)
    assert FIDELITY.score((mean,), labels) == pytest.approx(0, abs=1e-6)
    assert FIDELITY.score((-wanted,), labels) == 0, "never less"
    noisy = wanted + 0.1 * (wanted - mean).std() * torch.randn_like(wanted)
    assert FIDELITY.score((noisy,), labels) == pytest.approx(0.99, abs=0.003)
    assert (FIDELITY.measure, Values().measure) == ("fidelity", "explained variance")


def test_every_output_counts_alike_whatever_its_scale() -> None:
    torch.manual_seed(0)
    boxes, classes = 1000 * torch.randn(20, 4, 2, 2), 0.01 * torch.randn(20, 6, 1, 1)
    wanted = (boxes, classes)
    labels = values_of(wanted)
    assert labels.shape == (20, 22)
    flat = [one.mean((0, 2, 3), keepdim=True).expand_as(one) for one in wanted]
    for spoilt in ((flat[0], classes), (boxes, flat[1])):
        assert FIDELITY.score(spoilt, labels) == pytest.approx(0.5)
        assert FIDELITY.divergence(spoilt, wanted) == FIDELITY.lesson(spoilt, wanted, 2.0)


def test_an_output_that_never_changes_is_held_to_its_value() -> None:
    constant = torch.full((4, 1, 1, 1), 3.0)
    assert FIDELITY.score((constant,), constant.flatten(1)) == 1.0
    assert FIDELITY.score((constant + 0.001,), constant.flatten(1)) == pytest.approx(0.889, abs=1e-3)


def test_answers_of_modules_that_give_several() -> None:
    images = torch.zeros(2, 3, 4, 4)
    found = answers_of(lambda x: {"a": x, "b": (x[:, :, 0, 0], x[:, :, 0])}, images)
    assert [one.shape for one in found] == [(2, 3, 4, 4), (2, 3, 1, 1), (2, 3, 1, 4)]


def test_ours_are_tasks() -> None:
    assert all(isinstance(task, Task) for task in (Classes(), FIDELITY))
    assert not isinstance(3, Task)
