"""The paper's networks against independent references, frozen attacks, and starting from a classifier."""

import math
from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from conftest import typed
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet

from atebm.attacks.pgd import pgd
from atebm.models.discriminator256 import Block, Discriminator256
from atebm.models.energy import Classifier, Confidence, Energy, confidence, load_logit_0, model_of
from atebm.models.folding import ConvAffine, ConvPool, frozen
from atebm.models.resnet50 import ResNet50
from atebm.utils.errors import ConfigError, DataError

CIFAR = {"name": "resnet50", "mean": [0.4914, 0.4822, 0.4465], "std": [0.2023, 0.1994, 0.2010]}
IMAGENET = {"name": "discriminator256", "stem": 3, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def torchvision_resnet50() -> ResNet:
    """torchvision's ResNet50 with the stem of CIFAR variants, its BatchNorm as affine maps with random values."""
    torch.manual_seed(1)
    reference = ResNet(Bottleneck, [3, 4, 6, 3], num_classes=10)
    reference.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    reference.maxpool = nn.Identity()
    for module in reference.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    return reference.eval()


def like(model: nn.Module, reference: nn.Module) -> nn.Module:
    """`model` with the parameters of `reference`; both list them in the same order."""
    with torch.no_grad():
        for own, theirs in zip(model.parameters(), reference.parameters(), strict=True):
            assert own.shape == theirs.shape
            own.copy_(theirs)
    return model


@pytest.fixture
def resnets():
    """(ours, torchvision's) in double precision, with the same random weights."""
    reference = torchvision_resnet50()
    return like(ResNet50(3, 32, 10), reference).double(), reference.double()


def assert_same_gradients(got: Sequence[Tensor | None], want: Sequence[Tensor | None]) -> None:
    """In double precision, up to rounding; None where there is no gradient."""
    for own, their in zip(got, want, strict=True):
        assert (own is None) == (their is None)
        if their is not None:
            torch.testing.assert_close(own, their, rtol=1e-7, atol=1e-9 * their.detach().abs().max().item())


@pytest.mark.parametrize(
    ("network", "outputs", "count"),
    [
        (lambda n: ResNet50(3, 32, n), 10, 23_520_842),
        (lambda n: Discriminator256(3, 256, n, stem=3), 1, 20_851_777),
        (lambda n: Discriminator256(3, 256, n, stem=3), 1000, 21_364_264),
        (lambda n: Discriminator256(3, 256, n, stem=1), 1, 20_851_777 - 8 * 3 * 64),
    ],
    ids=["resnet50", "discriminator256", "1000 outputs", "1x1 stem"],
)
def test_the_networks_have_the_sizes_of_the_released_ones(network, outputs, count):
    assert sum(parameter.numel() for parameter in network(outputs).parameters()) == count


def test_initial_values_are_those_of_conv2d_and_batchnorm():
    torch.manual_seed(3)
    ours = ConvAffine(8, 16, 3)
    torch.manual_seed(3)
    torch.testing.assert_close(ours.weight, nn.Conv2d(8, 16, 3, bias=False).weight, rtol=0, atol=0)
    assert (ours.gamma == 1).all() and (ours.beta == 0).all()


def test_resnet50_is_torchvisions_with_a_cifar_stem(resnets):
    x = torch.rand(2, 3, 32, 32, dtype=torch.float64, requires_grad=True)
    got, want = (network(x) for network in resnets)
    assert want.std() > 0.01  # the logits differ, so equality says something
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-12)
    got, want = (
        torch.autograd.grad(y[:, 0].sum(), [x, *network.parameters()])
        for y, network in zip((got, want), resnets, strict=True)
    )
    assert_same_gradients(got, want)


def test_resnet50_has_the_second_derivatives_of_torchvisions(resnets):
    """R1 differentiates the gradient by the images once more, by the parameters."""
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    both = []
    for network in resnets:
        (gradient,) = torch.autograd.grad(network(x)[:, 0].sum(), x, create_graph=True)
        both.append(torch.autograd.grad(gradient.square().sum(), list(network.parameters()), allow_unused=True))
    assert_same_gradients(*both)


def test_resnet50_in_single_precision_and_channels_last(resnets):
    """As it is run: in the layout of `on`, which folding must keep, since convolutions would convert it back."""
    _, reference = resnets
    energy = Energy(CIFAR, (3, 32, 32))
    classifier = Classifier(CIFAR, (3, 32, 32), 10)
    like(classifier.network, reference)
    load_logit_0(energy, classifier.state_dict()).on(torch.device("cpu"))
    x = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    mean, std = (torch.tensor(CIFAR[name], dtype=torch.float64).view(1, 3, 1, 1) for name in ("mean", "std"))
    wanted = reference((x.double() - mean) / std)[:, 0].detach()
    # A sum of n products is right to about sqrt(n) 2^-24 of its size: 4e-6 for the 4,608 of the widest of 53 layers.
    # Their errors know nothing of each other, so that f, about 60, is right to sqrt(53) 4e-6 = 3e-5 of its size.
    torch.testing.assert_close(energy(x).double(), wanted, rtol=3e-5, atol=0)
    assert energy.network.blocks[0].conv2.folded()[0].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("size", [6, 7])  # of an odd one, pooling leaves out the last row and column
def test_a_convolution_that_pools_is_a_convolution_and_a_pooling_to_the_second_derivative(size):
    torch.manual_seed(6)
    ours = ConvPool(3, 5)
    torch.manual_seed(6)
    apart = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.AvgPool2d(2)).double()
    assert ours.state_dict().keys() == apart[0].state_dict().keys()
    x = torch.randn(2, 3, size, size, dtype=torch.float64, requires_grad=True)
    both = []
    for module in (ours.double(), apart):
        y = module(x)
        first = torch.autograd.grad(y.pow(3).sum(), [x, *module.parameters()], create_graph=True)
        second = torch.autograd.grad(first[0].square().sum(), list(module.parameters()))
        both.append((y, *first, *second))
    assert both[0][0].shape == (2, 5, size // 2, size // 2)
    torch.testing.assert_close(*both, rtol=1e-10, atol=1e-12)


# --- frozen -----------------------------------------------------------------------------------------------------


def small_folding() -> nn.Module:
    torch.manual_seed(5)
    net = nn.Sequential(ConvAffine(3, 8, 3, 2), nn.ReLU(), ConvPool(8, 8), nn.ReLU(), nn.Conv2d(8, 1, 2))
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.3)
    return net


def test_frozen_changes_no_number_and_gives_parameters_no_gradients(resnets):
    model = resnets[0]
    x = torch.rand(2, 3, 32, 32, dtype=torch.float64, requires_grad=True)
    want = model(x)
    (wanted,) = torch.autograd.grad(want[:, 0].sum(), x)
    with frozen(model):
        got = model(x)
        got[:, 0].sum().backward()
        assert not any(parameter.requires_grad for parameter in model.parameters())
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-12)
    assert_same_gradients([x.grad], [wanted])
    assert all(parameter.grad is None for parameter in model.parameters())


def test_an_attack_under_frozen_folds_each_weight_once(monkeypatch):
    model, folds = small_folding().double(), []
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    wanted = pgd(lambda x: model(x).flatten(), x, K=5, step_size=0.1)
    for kind in (ConvAffine, ConvPool):
        monkeypatch.setattr(kind, "folded", lambda self, of=kind.folded: folds.append(self) or of(self))
    with frozen(model):
        got = pgd(lambda x: model(x).flatten(), x, K=5, step_size=0.1)
    assert folds == [model[0], model[2]]
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-12)


def test_under_frozen_autograds_graph_ends_in_the_images_alone():
    def ends(node) -> set[Tensor]:
        if hasattr(node, "variable"):
            return {node.variable}
        return set().union(*(ends(before) for before, _ in node.next_functions if before is not None))

    model, x = small_folding(), torch.rand(16, 3, 8, 8, requires_grad=True)
    assert ends(model(x).grad_fn) == {x, *model.parameters()}
    with frozen(model):
        assert ends(model(x).grad_fn) == {x}


@pytest.mark.parametrize("failing", [False, True])
def test_after_frozen_all_is_as_before(failing):
    model, x = small_folding(), torch.rand(2, 3, 8, 8)
    model[4].bias.requires_grad_(False)  # was not learnt, so must not be afterwards
    flags = [parameter.requires_grad for parameter in model.parameters()]
    before = model(x)
    wanted = torch.autograd.grad(before.sum(), model[0].weight)[0]
    try:
        with frozen(model), frozen(model):  # nested, as an attack inside a monitor's
            if failing:
                raise RuntimeError
    except RuntimeError:
        pass
    assert [parameter.requires_grad for parameter in model.parameters()] == flags
    torch.testing.assert_close(torch.autograd.grad(model(x).sum(), model[0].weight)[0], wanted, rtol=0, atol=0)
    with torch.no_grad():
        model[0].gamma.mul_(2)  # a weight folded earlier would not see it
    assert not torch.allclose(model(x), before, rtol=1e-3)


def test_within_nested_frozen_blocks_the_inner_end_leaves_the_outer_in_force():
    model = small_folding()
    with frozen(model):
        with frozen(model):
            pass
        assert not any(parameter.requires_grad for parameter in model.parameters())
        assert model[0].fixed is not None


# --- discriminator256 -------------------------------------------------------------------------------------------


def naive_block(x: Tensor, block: Block) -> Tensor:
    """As the authors compute it: convolution, then pooling, on both paths."""
    residual = F.conv2d(torch.where(x > 0, x, 0.2 * x), block.conv1.weight, block.conv1.bias, padding=1)
    residual = F.avg_pool2d(residual, 2)
    residual = F.conv2d(torch.where(residual > 0, residual, 0.2 * residual), block.conv2.weight, padding=1)
    residual = residual + block.conv2.bias.view(1, -1, 1, 1)
    if block.conv1.in_channels != block.conv2.out_channels:
        x = F.conv2d(x, block.shortcut.weight)
    return (F.avg_pool2d(x, 2) + residual) * 0.5**0.5


def naive(network: Discriminator256, x: Tensor) -> Tensor:
    x = F.conv2d(x, network.stem.weight, network.stem.bias, padding=1)
    for block in network.blocks:
        x = naive_block(x, block)
    x = F.leaky_relu(x, 0.2)
    assert x.shape[1:] == (512, 4, 4)
    x = torch.einsum("bchw,dchw->bd", x, network.last.weight) + network.last.bias
    return F.leaky_relu(x, 0.2) @ network.head.weight.T + network.head.bias


def test_discriminator256_is_the_authors_written_out():
    torch.manual_seed(2)
    network = Discriminator256(3, 256, 5, stem=3).double()
    x = torch.randn(1, 3, 256, 256, dtype=torch.float64)
    with torch.no_grad():
        want = naive(network, x)
        assert want.std() > 0.01
        torch.testing.assert_close(network(x), want, rtol=1e-9, atol=1e-12)


def test_its_stem_can_be_that_of_table_S2():
    stem = Energy(IMAGENET | {"stem": 1}, (3, 256, 256)).network.stem.double()
    x = torch.randn(1, 3, 256, 256, dtype=torch.float64)
    wanted = torch.einsum("bchw,dc->bdhw", x, stem.weight[:, :, 0, 0]) + stem.bias.view(1, 64, 1, 1)
    torch.testing.assert_close(stem(x), wanted, rtol=1e-9, atol=1e-12)


def test_the_stem_is_set_in_the_configuration():
    """As a string too, which is what `--config` passes."""
    for stem, number in ((1, 1), ("1", 1), (3, 3)):
        run = typed("paper", runs={"celebahq256": {"network": {"stem": stem}, "init": None}}).runs["celebahq256"]
        assert run.network.stem == number
    with pytest.raises(
        ConfigError, match=r"runs\.celebahq256\.init = 'imagenet', but runs\.celebahq256 has another network"
    ):
        typed("paper", runs={"celebahq256": {"network": {"stem": 1}}})
    with pytest.raises(ConfigError, match=r"runs\.celebahq256\.network\.stem = 2: choose 1 or 3"):
        typed("paper", runs={"celebahq256": {"network": {"stem": 2}}})


@pytest.mark.parametrize(("channels_in", "channels_out"), [(6, 10), (6, 6)])
def test_its_blocks_have_the_gradients_of_the_authors(channels_in, channels_out):
    torch.manual_seed(2)
    block = Block(channels_in, channels_out).double()
    x = torch.randn(2, channels_in, 8, 8, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, channels_out, 4, 4, dtype=torch.float64)
    assert len(list(block.parameters())) == (5 if channels_in != channels_out else 4)
    got, want = (
        torch.autograd.grad((weight * y).sum(), [x, *block.parameters()]) for y in (block(x), naive_block(x, block))
    )
    assert_same_gradients(got, want)


@pytest.mark.parametrize("size", [128, 32, 512])
def test_discriminator256_wants_256_pixels(size):
    with pytest.raises(ConfigError, match=f"needs images of 256 pixels a side.*these have {size}"):
        Energy(IMAGENET, (3, size, size))


# --- an energy that starts as a classifier ----------------------------------------------------------------------

SMALL = {"name": "small", "width": 4, "mean": [0.3], "std": [0.35]}


def test_an_energy_can_start_as_logit_0_of_a_classifier():
    classifier = Classifier(SMALL, (1, 8, 8), 7).double()
    energy = load_logit_0(Energy(SMALL, (1, 8, 8)).double(), classifier.state_dict())
    x = torch.rand(5, 1, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(energy(x), classifier(x)[:, 0], rtol=1e-9, atol=1e-12)
    with torch.no_grad():
        energy.network.stem.weight.zero_()  # a copy: training f must not change the classifier
    assert not math.isclose(energy(x)[0].item(), classifier(x)[0, 0].item(), rel_tol=1e-3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: w.pop("network.stem.bias"), "network.stem.bias is missing"),
        (lambda w: w.update(other=torch.zeros(1)), "other is not of this network"),
        (
            lambda w: w.update({"network.head.weight": torch.zeros(7, 9)}),
            r"network.head.weight has shape \(7, 9\), but the network needs \(1, 8\)",
        ),
        (lambda w: w["mean"].add_(0.5), r"normalises its input with mean \[0.8.*\], but this network uses \[0.3"),
    ],
)
def test_weights_of_another_classifier_are_refused(change, sentence):
    weights = Classifier(SMALL, (1, 8, 8), 7).state_dict()
    change(weights)
    with pytest.raises(DataError, match=sentence):
        load_logit_0(Energy(SMALL, (1, 8, 8)), weights)


def test_confidence_is_the_logit_of_the_largest_probability():
    logits = torch.randn(50, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    largest = logits.softmax(1).max(1).values
    torch.testing.assert_close(confidence(logits), torch.logit(largest))
    sure = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    confidence(sure).sum().backward()
    assert torch.logit(sure.softmax(1).max()).isinf() and confidence(sure).item() == pytest.approx(200 - math.log(2))
    torch.testing.assert_close(sure.grad, torch.tensor([[1.0, -0.5, -0.5]]))  # where p rounds to 1, it has none


def test_a_detector_of_a_record_has_its_classes():
    record = {"network": {"name": "small", "width": 4, "mean": [0.3], "std": [0.35]}, "shape": [1, 8, 8]}
    x = torch.rand(3, 1, 8, 8)
    energy, classifier = model_of(record), model_of(record | {"classes": 6})
    assert isinstance(energy, Energy) and energy(x).shape == (3,)
    assert isinstance(classifier, Confidence) and classifier(x).shape == (3,) and classifier.logits(x).shape == (3, 6)
