"""data/sources.yaml: complete, well-formed, and shown in data/README.md."""

import re
from pathlib import Path

import pytest
import torchvision.datasets as theirs
from conftest import REPOSITORY, typed
from dvc.utils.serialize import load_yaml
from torchvision.datasets.imagenet import ARCHIVE_META

from atebm.archives import catalogue as module
from atebm.archives.catalogue import ARCHIVES, find, records, source_table, sources, write_source_table
from atebm.archives.dvc_pointers import pointer, write_pointers
from atebm.archives.releases import releases
from atebm.utils.errors import DataError
from atebm.utils.files import markers
from atebm.utils.hub import hub_of

BY_FILE = {source.file: source for source in sources()}

BEGIN, END = markers("sources")


def test_every_archive_of_the_configuration_has_its_sources():
    archives = {entry.archive for entry in typed("paper").sets.values() if entry.reader == "archive"}
    assert archives and archives <= {source.archive for source in sources()}


def test_every_file_has_one_name_and_is_not_named_as_an_archive():
    assert len(BY_FILE) == len(sources())
    assert not BY_FILE.keys() & {source.archive for source in sources()}


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.file)
def test_a_source_is_well_formed(source):
    assert source.md5 is None or re.fullmatch("[0-9a-f]{32}", source.md5)
    assert source.sha256 is None or re.fullmatch("[0-9a-f]{64}", source.sha256)
    assert bool(source.url or hub_of(source.file)) == (source.access == "open")
    assert bool(source.how) == (source.access != "open")
    assert all(url.startswith(("https://", "http://")) for url in (source.url, *source.mirrors) if url)


def test_checksums_and_addresses_are_those_that_torchvision_documents():
    places = theirs.Places365
    documented = {
        **{cls.filename: (cls.url, cls.tgz_md5) for cls in (theirs.CIFAR10, theirs.CIFAR100)},
        **{file: (url, md5) for url, file, md5 in (theirs.SVHN.split_list[split] for split in ("train", "test"))},
        **{file: (theirs.FashionMNIST.mirrors[0] + file, md5) for file, md5 in theirs.FashionMNIST.resources},
        **{file: (None, md5) for file, md5 in ARCHIVE_META.values()},
        **{
            file: (places._BASE_URL + file, md5)
            for file, md5 in (places._IMAGES_META[split, True] for split in ("train-standard", "val"))
        },
    }
    assert {file: (BY_FILE[file].url, BY_FILE[file].md5) for file in documented} == documented
    assert {source.file for source in sources() if source.md5} == set(documented)


def test_checksums_of_the_authors_checkpoints_are_those_that_import_weights_knows():
    ours = {f"authors_{task}.pth": (int(row["bytes"]), row["sha256"]) for task, row in releases().items()}
    assert {file: (BY_FILE[file].bytes, BY_FILE[file].sha256) for file in ours} == ours
    assert {source.file for source in find("authors_checkpoints")} == set(ours)


def test_a_name_is_an_archive_or_a_file_and_a_slip_is_answered_with_the_nearest():
    assert [source.file for source in find("svhn")] == ["train_32x32.mat", "test_32x32.mat"]
    assert [source.file for source in find("test_32x32.mat")] == ["test_32x32.mat"]
    with pytest.raises(DataError, match=r"no archive 'cifar01'; did you mean cifar10\?"):
        find("cifar01")
    with pytest.raises(DataError, match=r"no archive 'qqq'; data/sources.yaml has: cifar10, .*authors_checkpoints"):
        find("qqq")


def test_every_documented_md5_has_its_pointer_in_git():
    """As DVC reads them; whoever lets DVC keep a file has another one there, as `dvc add` writes it."""
    for source in filter(lambda source: source.md5, sources()):
        (out,) = load_yaml(REPOSITORY / ARCHIVES / f"{source.file}.dvc")["outs"]
        entry = {"md5": source.md5, "size": source.bytes, "hash": "md5", "path": source.file, "cache": False}
        if "cache" in out:
            assert out == {key: value for key, value in entry.items() if value is not None}, "run: make docs"


@pytest.mark.parametrize("md5", ["12345678901234567890123456789012", "1234567890123456789012345678e012"])
def test_dvc_reads_an_md5_that_looks_like_a_number(tmp_path, md5):
    (tmp_path / "a.dvc").write_text(pointer("a", md5, None))
    assert load_yaml(tmp_path / "a.dvc")["outs"][0]["md5"] == md5


def test_pointers_are_brought_up_to_date_but_for_those_of_files_that_dvc_keeps(tmp_path):
    write_pointers(tmp_path)
    names = ("cifar-10-python.tar.gz.dvc", "train_32x32.mat.dvc")
    ours = {name: (tmp_path / name).read_text() for name in names}
    kept = 'outs:\n- md5: "0123456789abcdef0123456789abcdef"\n  hash: md5\n  path: train_32x32.mat\n'
    (tmp_path / names[0]).write_text(ours[names[0]].replace("c58f", "ffff"))
    (tmp_path / names[1]).write_text(kept)  # as `dvc add` leaves it
    write_pointers(tmp_path)
    assert [(tmp_path / name).read_text() for name in names] == [ours[names[0]], kept]


def test_text_of_a_record_stays_text_in_the_table(monkeypatch):
    text = "CC | <script>alert(1)</script>\n| x"
    record = find("cifar10")[0].model_copy(update={"title": text, "terms": text})
    monkeypatch.setattr(module, "sources", lambda: (record,))
    lines = source_table().splitlines()
    assert len(lines) == 3 and "<script" not in lines[2]
    assert len(re.split(r"(?<!\\)\|", lines[2])) == len(lines[0].split("|"))


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://a.org/x) [y](http://b.org", "https://a.org/|"])
def test_an_address_that_is_none_is_refused(address):
    record = f"a: {{title: t, terms: t, access: open, note: n, files: [{{file: a.zip, url: '{address}'}}]}}"
    with pytest.raises(DataError, match=r"data/sources.yaml: .*url"):
        records(record)
    assert records(record.replace(address, "https://a.org/a.zip?x=1"))[0].url == "https://a.org/a.zip?x=1"


def test_the_readme_of_the_data_shows_the_sources(tmp_path: Path):
    assert f"{BEGIN}\n{source_table()}\n{END}" in (REPOSITORY / "data/README.md").read_text(), "run: make docs"
    drifted = tmp_path / "README.md"
    drifted.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_source_table(drifted)
    assert drifted.read_text() == f"before\n{BEGIN}\n{source_table()}\n{END}\nafter\n"
