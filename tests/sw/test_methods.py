# SPDX-License-Identifier: Apache-2.0
"""How the methods start, assign and move: against their equations, written out plainly."""

import numpy as np
import pytest
import torch

from fantastic4.entropy import (
    BITS,
    CODES,
    code_cost,
    decide,
    entropy,
    information,
    probabilities,
    strength_limit,
)
from fantastic4.estimate import code_bits, stored_information
from fantastic4.methods import METHODS, Ec2t, Ec4t, Ecqx, Int4, int8
from fantastic4.methods.ecqx import TOLERANCE
from fantastic4.quant import WIDE_BITS, codebook

BASIS = torch.tensor([0.3, 0.6, 1.2, -2.4])
CENTROIDS = codebook(BASIS).double().numpy()


@pytest.fixture
def weight(rng):
    return rng.normal(size=(100, 100)).astype(np.float32)


def assigned(method, weight, share=1.0, relevance=None):
    basis = method.init_basis(torch.from_numpy(weight))
    centroids = codebook(basis).double().numpy()
    cost = method.costs(weight, centroids, share)
    return method.assign(weight, centroids, cost, relevance)


def test_every_method_has_its_name():
    assert set(METHODS) == {"ec4t", "ec2t", "ecqx", "int4"}
    for kind in METHODS.values():
        assert kind(0.1, 3).values == 3


@pytest.mark.parametrize("kind", [Ec4t, Ecqx, Int4])
def test_start_is_int4_that_reaches_the_percentile(weight, kind):
    weight[0, 0] = 1000  # an outlier must not stretch the codebook
    basis = kind(0.1).init_basis(torch.from_numpy(weight))
    assert torch.allclose(basis / basis[0], torch.tensor([1.0, 2, 4, -8]))
    assert 7 * basis[0] < np.quantile(np.abs(weight), 0.999) < 8 * basis[0]


def test_gamma_zero_is_the_nearest_centroid(weight):
    cost = Ec4t(0).costs(weight, CENTROIDS, 1.0)
    codes = Ec4t(0).assign(weight, CENTROIDS, cost)
    nearest = np.abs(weight[..., None] - CENTROIDS).min(-1)
    assert np.allclose(np.abs(weight - CENTROIDS[codes]), nearest)


def test_costs_follow_the_equations(weight):
    p = probabilities(decide(CENTROIDS, np.zeros(CODES)).counts(weight))
    bits = information(p)
    limit = strength_limit(weight.min(), weight.max(), CENTROIDS, bits)
    expected = code_cost(0.4 * 0.7 * limit, bits)
    assert np.allclose(Ec4t(0.4).costs(weight, CENTROIDS, 0.7), expected)


def test_the_stored_objective_counts_the_formats_bits(weight):
    bits = stored_information(decide(CENTROIDS, np.zeros(CODES)).counts(weight))
    limit = strength_limit(weight.min(), weight.max(), CENTROIDS, bits)
    costs = Ec4t(0.4, objective="stored").costs(weight, CENTROIDS, 0.7)
    assert np.allclose(costs, code_cost(0.4 * 0.7 * limit, bits))
    assert costs[0] == 0
    by_gamma = [
        code_bits(
            np.bincount(assigned(kind(gamma, objective="stored"), weight).ravel(), minlength=16)
        )
        for kind in (Ec4t, Ecqx)
        for gamma in (0.05, 0.3, 1)
    ]
    assert by_gamma[0] > by_gamma[1] > by_gamma[2]
    assert by_gamma[3] > by_gamma[4] > by_gamma[5]


def test_wide_weights_are_signed_bytes(weight):
    weight[0, :3] = [4.9, -5, 0]
    basis = int8.init_basis(torch.from_numpy(weight))
    codes = int8.assign(weight, float(basis[0]))
    values = WIDE_BITS @ basis.double().numpy()
    assert np.abs(values[codes] - weight).max() <= float(basis[0]) * 0.5001
    assert codes[0, :3].view(np.int8).tolist() == [124, -127, 0]
    assert int8.assign(np.array([[9.0, -9.0]], np.float32), 0.05).view(np.int8).tolist() == [
        [127, -128]
    ]
    nothing = torch.zeros(2, 2)
    assert not int8.assign(nothing.numpy(), float(int8.init_basis(nothing)[0])).any()


def test_more_gamma_and_a_larger_share_give_less_entropy(weight):
    by_gamma = [entropy(assigned(Ec4t(gamma), weight)) for gamma in (0, 0.05, 0.2, 0.5, 1)]
    assert by_gamma == sorted(by_gamma, reverse=True)
    assert by_gamma[0] - by_gamma[-1] > 2
    assert entropy(assigned(Ec4t(0.2), weight, 0.3)) > entropy(assigned(Ec4t(0.2), weight))


@pytest.mark.parametrize("kind", [Ec4t, Ecqx, Int4])
def test_few_values_are_the_most_frequent(weight, kind):
    free = np.bincount(assigned(kind(0.1), weight).ravel(), minlength=CODES)
    codes = assigned(kind(0.1, 3), weight)
    assert set(np.unique(codes)) == {0, *(1 + np.argsort(-free[1:])[:3])}


def test_ternary_starts_asymmetric_and_uses_two_values(weight):
    weight = np.where(weight < 0, weight / 2, weight).astype(np.float32)
    basis = Ec2t(0.1).init_basis(torch.from_numpy(weight))
    expected = [0.3 * weight.max(), 0.3 * weight.min(), 0, 0]
    assert basis.tolist() == pytest.approx(expected)
    codes = assigned(Ec2t(0.1), weight)
    assert set(np.unique(codes)) == {0, 1, 2}
    assert (weight[codes == 1] > 0).all()
    assert (weight[codes == 2] < 0).all()


def test_ternary_coefficients_keep_their_signs():
    settled = Ec2t(0.1).settle(torch.tensor([-0.1, 0.2, 0.3, 0.4]))
    assert settled.tolist() == [0, 0, 0, 0]
    kept = torch.tensor([0.1, -0.2, 0, 0])
    assert torch.equal(Ec2t(0.1).settle(kept), kept)


def test_int4_stays_uniform_and_knows_no_entropy(weight, rng):
    basis = torch.from_numpy(rng.normal(size=4)).float()
    settled = Int4(0.5).settle(basis)
    steps = torch.tensor([1.0, 2, 4, -8])
    assert torch.allclose(settled / settled[0], steps)
    assert float(torch.dot(basis - settled, steps)) == pytest.approx(0, abs=1e-5)
    assert not Int4(0.5).costs(weight, CENTROIDS, 1.0).any()


def test_ec4t_basis_is_free():
    assert torch.equal(Ec4t(0.1).settle(BASIS), BASIS)


def test_relevant_weights_keep_a_value_where_others_become_zero(weight, rng):
    relevance = rng.random(weight.shape).astype(np.float32)
    plain, codes = assigned(Ec4t(0.3), weight), assigned(Ecqx(0.3), weight, 1.0, relevance)
    kept = (plain == 0) & (codes != 0)
    lost = (plain != 0) & (codes == 0)
    assert kept.any()
    assert lost.any()
    assert relevance[kept].min() > 0.4  # β gives the mean relevance, one half, the factor 1
    assert relevance[lost].max() < 0.6


def test_relevance_multiplies_the_cost_of_zero(weight, rng):
    relevance = rng.random(weight.shape).astype(np.float32)
    method = Ecqx(0.3)
    cost = method.costs(weight, CENTROIDS, 1.0)
    codes = method.assign(weight, CENTROIDS, cost, relevance)
    beta = -np.log(2) / np.log(relevance.mean())
    assert 0.9 < beta <= 1.05
    score = (weight[..., None] - CENTROIDS) ** 2 + cost
    score[..., 0] *= 2 * relevance ** min(beta, 1)
    assert (codes == score.argmin(-1)).mean() > 0.999


@pytest.mark.parametrize("power", [0.01, 8.0])
def test_zeros_stay_near_those_without_relevance(weight, rng, power):
    relevance = (rng.random(weight.shape) ** power).astype(np.float32)
    plain = (assigned(Ec4t(0.2), weight) == 0).mean()
    codes = assigned(Ecqx(0.2), weight, 1.0, relevance)
    assert abs((codes == 0).mean() - plain) <= TOLERANCE


def test_without_relevance_ecqx_is_ec4t(weight):
    assert np.array_equal(assigned(Ecqx(0.2), weight), assigned(Ec4t(0.2), weight))


def test_codes_are_subset_sums():
    assert np.allclose(CENTROIDS, BITS @ BASIS.double().numpy())
