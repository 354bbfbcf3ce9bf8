"""K over the course of training (Algorithm 2)."""

from atebm.training.schedule import WINDOW, Progress, advance


def run(iterations: int, **options) -> list[int]:
    at, Ks = Progress(options.pop("K_start", 0)), []
    for iteration in range(iterations):
        Ks.append(at.K)
        auc = options["auc"](iteration) if callable(options["auc"]) else options["auc"]
        at = advance(at, options["K_max"], options["per_K"], options["threshold"], auc)
    return Ks


def test_K_grows_after_its_share_of_iterations_and_stays_at_its_maximum():
    assert run(10, K_max=2, per_K=3, threshold=None, auc=1.0) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]


def test_fixed_K_is_algorithm_1():
    assert run(5, K_start=7, K_max=7, per_K=1, threshold=0.8, auc=1.0) == [7] * 5


def test_K_grows_early_once_a_full_window_is_easy():
    Ks = run(3 * WINDOW, K_max=9, per_K=10**6, threshold=0.8, auc=0.9)
    assert Ks == [0] * WINDOW + [1] * WINDOW + [2] * WINDOW


def test_a_hard_window_does_not_advance():
    assert set(run(5 * WINDOW, K_max=9, per_K=10**6, threshold=0.8, auc=0.8)) == {0}


def test_the_window_starts_anew_at_each_K():
    """50 easy batches left over from K = 0 must not count for K = 1."""
    easy_then_hard = run(3 * WINDOW, K_max=9, per_K=10**6, threshold=0.8, auc=lambda i: 1.0 if i < WINDOW + 50 else 0.0)
    assert max(easy_then_hard) == 1
