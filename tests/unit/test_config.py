"""config.yaml as types; mistakes as sentences."""

from itertools import pairwise

import pytest
from conftest import REPOSITORY, configuration, typed

from atebm.archives.catalogue import records
from atebm.config.base import Section, key, sections
from atebm.config.inheritance import FAMILIES
from atebm.config.load import load
from atebm.config.messages import resolve
from atebm.config.schema import Config
from atebm.config.training import Run
from atebm.utils.errors import ConfigError, DataError

SMOKE = "workflow/scales/smoke.yaml"


@pytest.mark.parametrize("scale", ["smoke", "demo", "miniature", "paper"])
def test_every_scale_resolves(scale):
    assert typed(scale).scale == scale


def test_the_paper_scale_states_tables_S3_and_S4():
    """The supplement's numbers, typed here once more from its tables."""
    config = typed("paper")
    S3 = {  # batch size, iterations, learning rate, K, epochs per K, step size, R1
        "cifar10": (32, 172_000, 5e-4, 25, 5, 0.1, 0.01),
        "celebahq256": (40, 218_000, 5e-5, 40, 5, 2.0, 30),
        "afhqcat256": (40, 225_000, 5e-5, 25, 50, 2.0, 100),
        "church256": (32, 215_000, 5e-5, 35, 1, 2.0, 100),
    }
    S4 = {"cifar10": (32, 0.2), "celebahq256": (20, 8.0), "afhqcat256": (14, 8.0), "church256": (17, 8.0)}
    for name, row in S3.items():
        run = config.runs[name]
        schedule = (run.schedule.K_max, run.schedule.epochs_per_K)
        stated = (run.batch_size, run.schedule.iterations, run.optimizer.lr, *schedule, run.step_size, run.r1)
        assert stated == row
        assert run.optimizer.betas == (0.0, 0.99)
    assert {name: (s.steps, s.step_size) for name, s in config.samplers.items() if name in S4} == S4


def test_the_paper_scale_states_table_S7():
    """Steps, step size and order as the supplement's table has them, which data/published holds too."""
    samplers = typed("paper").samplers
    ways = [(64, 0.1), (32, 0.2), (16, 0.4), (40, 4.0), (20, 8.0), (10, 16.0)]
    own = [f"{run}_{way}_steps" for run in ("cifar10", "celebahq256") for way in ("small", "middle", "large")]
    assert [(samplers[name].steps, samplers[name].step_size) for name in own] == ways
    published = (REPOSITORY / "data/published/tableS7.csv").read_text().splitlines()[1:]
    assert [line.split(",")[1] for line in published] == [f"{steps} x {size:.1f}" for steps, size in ways]
    for scale in ("smoke", "demo", "fashion"):
        samplers = typed(scale).samplers
        products = {samplers[name].steps * samplers[name].step_size for name in own}
        assert len(products) == 1 and len({samplers[name].steps for name in own}) == 3


def test_the_ood_model_is_the_supplements():
    """Supplement 3, training, second paragraph."""
    run = typed("paper").runs["cifar10_ood"]
    assert (run.in_attack.eps, run.in_attack.steps, run.in_attack.step_size) == (0.25, 10, 0.1)
    assert (run.eps, run.schedule.K_start, run.schedule.K_max, run.step_size) == (0.5, 10, 10, 0.1)
    assert (run.batch_size, run.optimizer.name, run.optimizer.lr, run.schedule.epochs_per_K) == (128, "sgd", 0.1, 400)
    assert run.schedule.iterations is None and run.augment.p_data.name == "autoaugment_cutout"


@pytest.mark.parametrize("scale", ["smoke", "demo", "fashion", "paper"])
def test_the_runs_that_figures_and_sections_name_are_there(scale):
    """And they differ, at every scale, by what their artifact is about and by nothing else."""
    config = typed(scale)
    runs = config.runs

    def differ(names: list[str]) -> set[str]:
        """The keys that runs do not share."""
        dumps = [runs[name].model_dump() for name in names]
        return {key for key in dumps[0] if any(dump[key] != dumps[0][key] for dump in dumps)}

    fig2 = ["celebahq256", "celebahq256_r1_0", "celebahq256_scratch", "celebahq256_scratch_r1_0"]
    assert differ(fig2) == {"init", "r1"}
    assert {(runs[name].init, runs[name].r1 > 0) for name in fig2} == {
        (init, r1) for init in ("imagenet", None) for r1 in (True, False)
    }
    fig3 = ["cifar10", "cifar10_p0_narrower", "cifar10_p0_narrowest"]
    assert differ(fig3) == {"task"}
    tasks = [config.tasks[runs[name].task] for name in fig3]
    assert len({task.p_0 for task in tasks}) == 3 and len({task.sources for task in tasks}) == 1
    samplers = [config.samplers[name] for name in ("cifar10_middle_steps", *fig3[1:])]
    assert len({sampler.model_copy(update={"run": None}) for sampler in samplers}) == 1
    fixed = [f"cifar10_{K}" for K in ("K_one", "K_fifth", "K_two_fifths", "K_three_fifths", "K_max")]
    assert differ([*fixed, "cifar10"]) == {"schedule"}
    Ks = [runs[name].schedule.K_max for name in fixed]
    assert Ks == [runs[name].schedule.K_start for name in fixed] == sorted(set(Ks)) and Ks[0] == 1
    both = {"cifar10_max_likelihood": {"objective"}, "cifar10_max_likelihood_langevin": {"objective", "langevin"}}
    for name, keys in both.items():
        assert differ([name, "cifar10_binary_at"]) == keys and runs[name].optimizer.lr == 5e-4
    for name in ("cifar10_max_likelihood", "cifar10_binary_at"):  # Sec. 5.3 states 1e-6
        assert differ([name, f"{name}_small_lr"]) == {"optimizer"} and runs[f"{name}_small_lr"].optimizer.lr == 1e-6


def test_the_sets_of_fig3_are_nested_and_apart_from_the_sources():
    """At small scales p_0 is of fewer and fewer of the same photographs."""
    for config in (typed("smoke"), typed("demo"), typed("fashion")):
        sets = [config.sets[config.tasks[f"cifar10{which}"].p_0] for which in ("", "_p0_narrower", "_p0_narrowest")]
        widest, *_ = nested = [set(images.photographs) for images in sets]
        assert all(inner < outer for outer, inner in pairwise(nested)) and len({images.n for images in sets}) == 1
        task = config.tasks["cifar10"]
        assert not any(widest & set(config.sets[name].photographs) for name in (task.sources, task.validation_sources))


def test_an_entry_is_like_another_as_that_is_at_the_scale():
    """Its own keys aside; another optimiser replaces the whole of the other one's settings."""
    paper, smoke = typed("paper").runs, typed("smoke").runs
    for runs in (paper, smoke):
        own = {"schedule", "monitor", "objective", "in_attack", "r1"}
        assert runs["cifar10_max_likelihood"].model_dump(exclude=own) == runs["cifar10"].model_dump(exclude=own)
        of_K = {"K_start", "K_max"}
        fixed, progressive = runs["cifar10_K_fifth"].schedule, runs["cifar10"].schedule
        assert fixed.model_dump(exclude=of_K) == progressive.model_dump(exclude=of_K)
    assert smoke["cifar10_K_fifth"].network.name == "small" and paper["cifar10_K_fifth"].network.name == "resnet50"
    assert paper["church256"].augment.p_data.scale == (0.8, 1) and paper["church256"].init == "imagenet"


def test_what_an_entry_takes_from_another_has_the_others_line():
    """As `atebm explain` prints it: the nearest one's, its own first."""
    _, origins = load(REPOSITORY, ["scale=smoke", "runs={cifar10_K_fifth: {batch_size: 8}}"])
    lines = {
        key: str(origins["runs", "cifar10_K_fifth", *key.split(".")]).partition(":")
        for key in ("batch_size", "schedule.K_max", "schedule.iterations", "optimizer.lr")
    }
    assert lines["batch_size"][0] == "--config"
    for name, file, text in (
        ("schedule.K_max", "workflow/scales/smoke.yaml", "cifar10_K_fifth: { schedule: "),
        ("schedule.iterations", "workflow/scales/smoke.yaml", "iterations: 40"),
        ("optimizer.lr", "config.yaml", "optimizer: { name: adam, lr: 5.0e-4"),
    ):
        assert lines[name][0] == file
        assert text in (REPOSITORY / file).read_text().splitlines()[int(lines[name][2]) - 1]
    _, origins = load(REPOSITORY, ["scale=paper"])
    of_church = origins["runs", "church256", "augment", "p_data", "scale"]
    assert "[0.8, 1]" in of_church.text  # afhqcat256's, which is like celebahq256


@pytest.mark.parametrize(
    ("file", "old", "new", "overrides", "said"),
    [
        ("config.yaml", "    eps: 0.5 # P", "    eps: -1 # P", [], "config.yaml:{line}: runs.cifar10_ood.eps = -1: "),
        (
            "config.yaml",
            "layer_gain: 4.0 # gives",
            "gain: 4 # gives",
            [],
            "config.yaml:{line}: unknown key toy.first_gain.",
        ),
        ("config.yaml", "layer_gain: 4.0 # gives", "gain: 4 # gives", [], "toy.first_layer_gain is missing: write it."),
        (
            SMOKE,
            "    schedule: &schedule {",
            "    shcedule: &schedule {",
            [],
            SMOKE + ":{line}: unknown key runs.cifar10.shcedule.",
        ),
        ("config.yaml", "", "", ["toy={k: 3}"], "--config: unknown key toy.k."),
        ("config.yaml", "", "", ["metrics={n: 101}"], "--config: metrics.n = 101, but samplers.cifar10.n = 100"),
        ("config.yaml", "", "", ["runs={a: {like: b}}"], "--config: runs.a.like names 'b', which is not in runs."),
        (
            "config.yaml",
            "results: results #",
            "results: ../elsewhere #",
            [],
            "config.yaml:{line}: results = '../elsewhere': write results, or",
        ),
        (
            "config.yaml",
            "",
            "",
            ["results=results/scales/a/b"],
            "--config: results = 'results/scales/a/b': write results, or",
        ),
        (
            "config.yaml",
            "",
            "",
            ["runs={cifar10: {schedule: {K_start: 9}}}"],
            "--config: runs.cifar10.schedule.K_start = 9 is larger than K_max = 2: ",
        ),
    ],
)
def test_a_mistake_is_found_where_it_is_written(tmp_path, file, old, new, overrides, said):
    """A line of a file; where several hold what does not go together, all of them."""
    for name in ("config.yaml", SMOKE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        text = (REPOSITORY / name).read_text()
        if name == file:
            assert old in text
            text = text.replace(old, new, 1)
            line = text[: text.index(new)].count("\n") + 1
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as error:
        load(tmp_path, ["scale=smoke", *overrides])
    assert any(said.format(line=line) in sentence for sentence in str(error.value).splitlines()), error.value


def test_places_are_looked_for_only_where_there_are_mistakes():
    """It takes a second, and every job of a workflow reads the configuration."""
    asked = []
    resolve(configuration("demo"), lambda path: asked.append(path) or "")
    assert asked == []
    with pytest.raises(ConfigError):
        resolve(configuration("demo", seed=-1), lambda path: asked.append(path) or "")
    assert asked == [("seed",)]


def test_another_kind_forgets_what_is_set_to_null():
    config = typed("paper", runs={"cifar10": {"optimizer": {"name": "sgd", "momentum": 0.9, "betas": None}}})
    assert config.runs["cifar10"].optimizer.model_dump() == {"name": "sgd", "lr": 5e-4, "momentum": 0.9}


def test_strings_from_the_command_line_become_numbers():
    config = configuration("smoke", seed="3")
    config["runs"]["cifar10"]["optimizer"]["lr"] = "5e-4"  # what YAML makes of 5e-4
    resolved = resolve(config)
    assert resolved.seed == 3 and resolved.runs["cifar10"].optimizer.lr == 5e-4


def test_a_missing_key_is_named():
    config = configuration("smoke")
    del config["toy"]["m"]
    with pytest.raises(ConfigError, match=r"config.yaml: toy.m is missing."):
        resolve(config)


def test_the_attacks_are_the_supplements():
    """Caption of Table S8, facts of the authors' script."""
    detection = typed("paper").detection
    for name, (radius, inside) in {
        "cifar10": (1.0, "held_out"),
        "celebahq256": (7.0, "p_data"),
        "afhqcat256": (7.0, "p_data"),
        "church256": (7.0, "p_data"),
    }.items():
        spec = detection[name]
        assert (spec.auto_pgd.steps, spec.auto_pgd.restarts, spec.n) == (100, 5, 1024)
        assert (spec.radius, spec.in_distribution) == (radius, inside)
    runs = typed("demo").runs
    assert runs["cifar10_ood"].eps == 0.5 and typed("demo").detection["cifar10"].radius == 1.0


def test_baselines_differ_from_the_ood_model_in_what_they_are_named_for():
    """At scale demo the rivals train for longer, too, until they have converged."""
    for scale in ("paper", "demo", "fashion", "smoke"):
        longer = {"schedule"} if scale == "demo" else set()
        runs = {name: run.model_dump() for name, run in typed(scale).runs.items() if name.startswith("cifar10_ood")}
        ours, plain = runs["cifar10_ood"], runs["cifar10_ood_plain"]
        assert different(runs["cifar10_ood_ratio"], ours) == {"objective"} | longer
        assert different(plain, ours) == {"schedule", "in_attack"}
        assert plain["schedule"]["K_max"] == 0 and plain["in_attack"] is None
        assert different(runs["cifar10_ood_oe"], plain) == {"objective", "outlier_weight"} | longer
        assert different(runs["cifar10_ood_classifier"], runs["cifar10_ood_oe"]) == {"outlier_weight"}
        assert different(runs["cifar10_ood_plain_long"], plain) == {"schedule"}


def different(one: dict, other: dict) -> set[str]:
    return {name for name in one | other if one.get(name) != other.get(name)}


def test_a_classifier_cannot_start_from_the_pretrained_logit():
    config = configuration("demo")
    config["runs"]["celebahq256"]["objective"] = "outlier_exposure"
    with pytest.raises(ConfigError, match=r"runs.celebahq256.init = 'imagenet', but the classifier of "):
        resolve(config)


def test_attacks_want_as_many_images_as_they_ask_for():
    config = configuration("demo")
    config["detection"]["cifar10"]["n"] = 1500
    with pytest.raises(ConfigError, match=r"detection.cifar10.n = 1500, but set (textures|noise) has 1000 images"):
        resolve(config)


def test_entries_of_every_section_can_be_like_others():
    named = {name for name, field in Config.model_fields.items() if str(field.annotation).startswith("dict[")}
    assert named == set(FAMILIES)


# --- keys that are added later ----------------------------------------------------------------------------------------

# Keys with a default that digests have had from the start. No other joins them: all that is computed would be again.
OLD = {
    "Discriminator256.stem",
    "Drawn.skip",
    "Folder.seed",
    "Folder.skip",
    "Noise.channels",
    "Task.also_at",
    "Task.out_of_distribution",
    "TinyImages.size",
}


def test_a_key_with_a_default_is_in_no_digest_while_it_has_it():
    hashed = {
        f"{section.__name__}.{name}"
        for section in sections(Section)
        if section.__module__.startswith("atebm.")
        for name, field in section.model_fields.items()
        if not field.is_required() and field.exclude_if is None and not issubclass(section, Config)
    }
    assert hashed == OLD


def test_a_key_that_is_added_later_moves_no_digest():
    class Later(Run):
        temperature: float = key("temperature of the logits", default=1.0)

    run = typed("smoke").runs["cifar10"]
    given = {name: getattr(run, name) for name in Run.model_fields}
    assert Later(**given).settings() == Later(**given, temperature=1.0).settings() == run.settings()
    assert Later(**given, temperature=2.0).settings() == run.settings() | {"temperature": 2.0}


def test_every_key_says_what_it_is():
    for section in sections(Section):
        for name, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{name}"


# --- what YAML would take without a word ------------------------------------------------------------------------------

SECTIONS = [family for family in FAMILIES if family != "gans"]  # of which the paper has one


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize(
    "name", ["../../../../evil", "a/b", "..", ".hidden", "", "a b", "a-b", "a\n", "x" * 65, "ü", "{x}", "$(id)"]
)
def test_names_of_entries_stay_names_of_files(section, name):
    """They become parts of paths below work/ and results/, and of the commands of rules."""
    config = configuration("demo")
    config[section][name] = next(iter(config[section].values()))
    with pytest.raises(ConfigError) as error:
        resolve(config)
    assert f"config.yaml: {section} has an entry {name!r}: names have at most 64 letters, digits" in str(error.value)


@pytest.mark.parametrize("name", [True, None, 3, 1e3])
def test_names_that_YAML_reads_as_values_are_to_be_quoted(name):
    config = configuration("demo")
    config["runs"][name] = config["runs"]["cifar10"]
    with pytest.raises(ConfigError, match=r"runs has an entry .*: YAML reads it as a value: put it in quotes"):
        resolve(config)
    config["runs"][name] = {"like": "cifar11"}
    with pytest.raises(ConfigError, match=rf"runs.{name}.like names 'cifar11', which is not in runs. Did you mean"):
        resolve(config)
    with pytest.raises(ConfigError, match=r"config.yaml: the key .*: YAML reads it as a value: put it in quotes"):
        resolve({**configuration("demo"), name: 1})


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan"), ".inf", "nan", "1e999"])
def test_numbers_are_finite(number):
    for changes in ({"runs": {"cifar10": {"optimizer": {"lr": number}}}}, {"toy": {"step_size": number}}):
        with pytest.raises(ConfigError, match=r"(optimizer.lr|toy.step_size) = "):
            typed("demo", **changes)


@pytest.mark.parametrize("row", ["in", "held_out", "model", "surrogate"])
def test_rows_of_images_out_of_distribution_take_no_place_of_others(row):
    """A row `in` would take the place of the images that the others are told from."""
    with pytest.raises(ConfigError, match=f"tasks.cifar10.out_of_distribution has a row '{row}'"):
        typed("demo", tasks={"cifar10": {"out_of_distribution": {row: "noise"}}})


def written(folder, name: str, content: bytes):
    """A checkout's two files of configuration, one of them with this content."""
    for file in ("config.yaml", SMOKE):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content if file == name else (REPOSITORY / file).read_bytes())
    return folder


@pytest.mark.parametrize("name", ["config.yaml", SMOKE])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"runs: {}\nseeds: 1\nruns: {}\n", "{}:3: the key runs is already in line 1"),
        (b"runs: { a: { lr: 1, lr: 2 } }\n", "{}:1: the key lr is already in line 1"),
        (b"runs: [{ a: 1 }, { 'b': 1, b: 2 }]\n", "{}:1: the key b is already in line 1"),
        (b"a: &a { x: 1 }\nb:\n  <<: *a\n", "{}:3: << is not supported: to take keys from another entry"),
        (b"", "{} is empty: write keys and their values"),
        (b"# only a comment\n", "{} is empty: write"),
        (b"- seeds: 1\n", "{} has only a list: write"),
        (b"seeds\n", "{} has only a value: write"),
        (b"seeds: [1\nseed: 2\n", "{}:2: not YAML: "),
        (b"\tseeds: 1\n", "{}:1: not YAML: "),
        (b"seeds: *gone\n", "{}:1: not YAML: "),
        (b"seeds: \x00\n", "{}: not YAML: "),
        (b"runs: &runs { a: *runs }\n", "{}:1: an entry contains itself by an alias"),
        ("seeds: 1\n".encode("utf-16"), "{}: byte 0 is not UTF-8: save the file with the encoding UTF-8."),
        (b"title: caf\xe9\n", "{}: byte 10 is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_meant_is_one_sentence(tmp_path, name, content, said):
    with pytest.raises(ConfigError) as error:
        load(written(tmp_path, name, content), ["scale=smoke"])
    wanted = said.format(name)
    assert wanted in str(error.value) and "\n" not in str(error.value)


def test_a_byte_order_mark_is_no_key(tmp_path):
    text = (REPOSITORY / SMOKE).read_bytes()
    assert load(written(tmp_path, SMOKE, b"\xef\xbb\xbf" + text), ["scale=smoke"])[0] == typed("smoke")


@pytest.mark.parametrize("scale", ["paper", "false"])
def test_the_file_of_a_scale_is_of_no_other(tmp_path, scale):
    content = (REPOSITORY / SMOKE).read_bytes() + f"\nscale: {scale}\n".encode()
    with pytest.raises(ConfigError, match=rf"{SMOKE}: scale = .*, but this is the file of scale smoke"):
        load(written(tmp_path, SMOKE, content), ["scale=smoke"])


def test_a_scale_that_is_none_is_one_sentence(tmp_path):
    text = (REPOSITORY / "config.yaml").read_text()
    for line in ("scale: no", ""):
        content = text.replace("scale: demo", line, 1).encode()
        with pytest.raises(ConfigError, match=r"there is no scale (False|None); choose one of smoke"):
            load(written(tmp_path, "config.yaml", content))


def test_sources_are_read_as_strictly():
    entry = "{title: T, terms: T, access: open, note: N, files: [{file: f}]}"
    for text, said in (
        (f"a: {entry}\na: {entry}\n", r"data/sources.yaml:2: the key a is already in line 1"),
        ("", "data/sources.yaml is empty"),
        (f"../a: {entry}\n", "archive"),
    ):
        with pytest.raises(DataError, match=said):
            records(text)
