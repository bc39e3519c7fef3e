"""Options of CCVAE that are refused."""

from __future__ import annotations

import pytest

from ccvae.errors import InputError
from tests.ccvae.test_model import CASES


@pytest.mark.parametrize(
    "options",
    [
        {"supervised": "eq9"},
        {"unsupervised": "guess"},
        {"label_estimator": "none"},
        {"label_samples": 0},
    ],
)
def test_unknown_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(InputError, match="use "):
        CASES["two binary labels"].model(**options)


@pytest.mark.parametrize(
    "options",
    [{"unsupervised": "exact"}, {"unsupervised": "sampled"}, {"supervised": "released_torch"}],
)
def test_a_weight_of_the_characteristics_divergence_is_refused_where_it_means_another(
    options: dict[str, str],
) -> None:
    CASES["two binary labels"].model(characteristic_beta=2, supervised="paper_eq8")
    CASES["two binary labels"].model(**options)
    with pytest.raises(InputError, match="characteristic_beta is 2"):
        CASES["two binary labels"].model(characteristic_beta=2, **options)


@pytest.mark.parametrize("sizes", [(3, 2), (2, 0)])
def test_latents_that_the_labels_do_not_fit_into_are_refused(sizes: tuple[int, int]) -> None:
    latents, per_label = sizes
    with pytest.raises(InputError, match="do not fit"):
        CASES["two binary labels"].model(latents=latents, latents_per_label=per_label)
