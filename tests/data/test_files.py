"""Listing, hashing and manifests of files."""

import os

import pytest

from penstock.data import files


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    (folder / "sub").mkdir(parents=True)
    (folder / "b.csv").write_text("b")
    (folder / "a.csv").write_text("a")
    (folder / "sub" / "c.csv").write_text("c")
    return folder


def test_folder_is_listed_sorted_and_without_private_names(tree):
    (tree / ".hidden").write_text("x")
    (tree / "_SUCCESS").write_text("x")

    base, names = files.list_files(str(tree))

    assert (base, names) == (str(tree), ["a.csv", "b.csv", "sub/c.csv"])


def test_single_file_is_listed_even_if_private(tree):
    (tree / "_rows.csv").write_text("x")

    assert files.list_files(str(tree / "_rows.csv")) == (str(tree), ["_rows.csv"])


def test_glob_is_relative_to_its_fixed_part(tree):
    assert files.list_files(str(tree / "*.csv")) == (str(tree), ["a.csv", "b.csv"])
    assert files.list_files(str(tree / "**" / "*.csv")) == (str(tree), ["a.csv", "b.csv", "sub/c.csv"])
    assert files.list_files(str(tree / "s*" / "*.csv")) == (str(tree), ["sub/c.csv"])


def test_linked_folder_is_listed_and_digested_as_if_it_stood_there(tree, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "d.csv").write_text("d")
    (tree / "part2").symlink_to(elsewhere)

    _, names = files.list_files(str(tree))
    before = files.digest_tree(str(tree))
    (elsewhere / "d.csv").write_text("D")

    assert names == ["a.csv", "b.csv", "part2/d.csv", "sub/c.csv"]
    assert files.list_files(str(tree / "**" / "*.csv"))[1] == names
    assert files.digest_tree(str(tree)) != before


@pytest.mark.parametrize("target", [".", "..", "../../tree", "../sub"])
def test_link_that_leads_back_up_adds_nothing(target, tree):
    (tree / "sub" / "again").symlink_to(target)
    (tree / "sub" / "d.csv").symlink_to(tree / "a.csv")

    found = [files.list_files(str(tree / end))[1] for end in ("", "**/*.csv")]

    assert found == [["a.csv", "b.csv", "sub/c.csv", "sub/d.csv"]] * 2


def test_links_to_each_others_folders_are_followed_once(tree):
    (tree / "other").mkdir()
    (tree / "other" / "d.csv").write_text("d")
    (tree / "other" / "to_sub").symlink_to(tree / "sub")
    (tree / "sub" / "to_other").symlink_to(tree / "other")

    _, names = files.list_files(str(tree))

    assert names == [
        "a.csv", "b.csv", "other/d.csv", "other/to_sub/c.csv", "sub/c.csv", "sub/to_other/d.csv",
    ]  # fmt: skip
    assert files.list_files(str(tree / "**" / "*.csv"))[1] == names


def test_pipe_is_listed_and_never_opened(tree):
    os.mkfifo(tree / "pipe.csv")

    assert "pipe.csv" in files.list_files(str(tree))[1]
    assert files.list_files(str(tree / "p*.csv"))[1] == ["pipe.csv"]
    with pytest.raises(OSError, match="It is a named pipe, no regular file"):
        files.hash_tree(str(tree))


def test_nothing_found_is_an_empty_list(tree):
    assert files.list_files(str(tree / "*.parquet"))[1] == []
    assert files.list_files(str(tree / "absent.csv"))[1] == []


def test_tree_digest_is_of_names_and_contents(tree, tmp_path):
    before = files.digest_tree(str(tree))
    moved = tmp_path / "moved"
    os.rename(tree, moved)

    assert files.digest_tree(str(moved)) == before
    (moved / "a.csv").rename(moved / "d.csv")
    assert files.digest_tree(str(moved)) != before


def test_tree_digest_is_fixed(tree):
    assert files.digest_tree(str(tree)) == "tree-1:ffd93f2941540b9307d1e9f7bbcdeafa"


def test_tree_digest_ignores_the_manifest(tree):
    before = files.digest_tree(str(tree))
    files.write_manifest(str(tree))

    assert files.digest_tree(str(tree)) == before


def test_digest_of_a_file_does_not_depend_on_its_name(tree):
    (tree / "copy").write_text("a")

    assert files.digest_tree(str(tree / "copy")) == files.digest_tree(str(tree / "a.csv"))


def test_digest_of_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file or folder at"):
        files.digest_tree(str(tmp_path / "absent"))


def test_manifest_is_read_as_written(tree):
    digest = files.write_manifest(str(tree))

    assert digest == files.sha256_of(str(tree / files.MANIFEST))
    assert files.read_manifest(str(tree)) == files.hash_tree(str(tree))
    assert files.check_manifest(str(tree), deep=True) == []


def test_manifest_check_names_every_difference(tree):
    files.write_manifest(str(tree))
    (tree / "a.csv").write_text("longer")
    (tree / "b.csv").write_text("B")
    (tree / "sub" / "c.csv").unlink()
    (tree / "new.csv").write_text("n")

    quick = files.check_manifest(str(tree))
    deep = files.check_manifest(str(tree), deep=True)

    assert quick == [
        "sub/c.csv is missing.",
        "new.csv is not in the manifest.",
        "a.csv has 6 bytes, the manifest says 1.",
    ]
    assert deep == [*quick, "b.csv has another content than the manifest says."]


def test_absent_or_damaged_manifest_is_a_problem(tree):
    assert "can't be read" in files.check_manifest(str(tree))[0]

    (tree / files.MANIFEST).write_text("[")

    assert "is damaged" in files.check_manifest(str(tree))[0]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\nb\n", "a\nb\n"),
        ("one\ntwo\nthree\nfour\n", "one\n--- 10 bytes of output were dropped here ---\nfour\n"),
        ("0123456789ab", "01234--- 2 bytes of output were dropped here ---\n789ab"),
    ],
)
def test_middle_of_a_long_log_is_dropped_by_lines(text, kept, tmp_path):
    path = tmp_path / "log"
    path.write_text(text)

    with path.open("ab+", buffering=0) as file:
        files.drop_middle(file.fileno(), 5, 5)

    assert path.read_text() == kept


def test_stamps_tell_of_every_change_below_a_folder(tree):
    before = files.stamps(str(tree))

    (tree / "sub" / "c.csv").write_text("d")
    os.utime(tree / "sub" / "c.csv", ns=(1, 1))
    (tree / "a.csv").rename(tree / "sub" / "a.csv")
    after = files.stamps(str(tree))

    assert sorted(before) == ["", "a.csv", "b.csv", "sub/", "sub/c.csv"]
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == {
        "", "a.csv", "sub/", "sub/a.csv", "sub/c.csv",
    }  # fmt: skip
    assert files.stamps(str(tree / "nothing")) == {}
    assert list(files.stamps(str(tree / "b.csv"))) == [""]
