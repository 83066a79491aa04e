"""The Pusher on real folders: versions, adoption, crashes, races, tampering and its refusals."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

from penstock.artifacts import InfraBlessing, Model, ModelBlessing, PushedModel
from penstock.components.push.push import Source, push
from penstock.components.push.push_record import read_record
from penstock.components.push.pusher import Pusher, still_true
from penstock.data.files import write_manifest
from penstock.pipeline import ParameterError, PlatformError, Skip, UserCodeError, step
from tests.components.small_models import save_model


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model artifact with its manifest, as a finished training step leaves it."""
    path = save_model(tmp_path_factory.mktemp("trained") / "model")
    return Model(path, "artifacts/p/Trainer/01/model", id=7, digest="model-1:aa", bytes_digest=write_manifest(path))


@pytest.fixture
def destination(tmp_path):
    return tmp_path / "serving" / "penguins"


def run(tmp_path, model, destination, name="pushed", **blessings):
    pushed = PushedModel(str(tmp_path / name))
    os.makedirs(pushed.path)
    Pusher(model, pushed, push_destination=destination, **blessings)
    return pushed


def other(model, digest="model-1:bb"):
    return Model(model.path, model.uri, id=8, digest=digest)


def visible(destination):
    return sorted(name for name in os.listdir(destination) if name.isdigit())


def leftovers(destination):
    return [name for name in os.listdir(destination) if name.startswith(".penstock-")]


def test_a_pushed_model_loads_with_tensorflow_alone(tmp_path, trained, destination):
    run(tmp_path, trained, destination)

    code = (
        "import sys, tensorflow as tf; m = tf.saved_model.load(sys.argv[1]);"
        "print(m.signatures['raw'](p=tf.constant([[0.25]]))['scores'].numpy()[0, 0],"
        " any(name.startswith('penstock') for name in sys.modules))"
    )
    command = [sys.executable, "-c", code, str(destination / "1")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert printed.split() == ["0.25", "False"]


def test_the_version_says_where_it_comes_from(tmp_path, trained, destination):
    step.enter(step.StepContext("01EXECUTION", "01RUN", "Pusher", lambda event: None))
    try:
        run(tmp_path, trained, destination)
    finally:
        step.enter(None)

    document = json.loads((destination / "1" / "_penstock.json").read_text())

    assert document["model_digest"] == "model-1:aa"
    assert document["model_uri"] == "artifacts/p/Trainer/01/model"
    assert (document["model_id"], document["execution"], document["run"]) == (7, "01EXECUTION", "01RUN")
    assert "saved_model.pb" in [file["path"] for file in document["files"]]


def test_the_output_records_destination_and_version(tmp_path, trained, destination):
    pushed = run(tmp_path, trained, destination)

    assert pushed.properties["pushed"] == 1
    assert pushed.properties["pushed_destination"] == str(destination / "1")
    assert pushed.properties["pushed_version"] == "1"
    with open(os.path.join(pushed.path, "pushed.json"), encoding="utf-8") as file:
        assert json.load(file) == pushed.properties


def test_pushing_the_same_model_twice_adopts_the_version(tmp_path, trained, destination):
    run(tmp_path, trained, destination)
    before = read_record(str(destination / "1"))

    again = run(tmp_path, trained, destination, "again")

    assert visible(destination) == ["1"]
    assert again.properties["pushed_version"] == "1"
    assert read_record(str(destination / "1")) == before


def test_another_model_becomes_the_next_version(tmp_path, trained, destination):
    (destination / "41").mkdir(parents=True)

    pushed = run(tmp_path, trained, destination)

    assert pushed.properties["pushed_version"] == "42"


def test_a_model_that_is_no_longer_the_latest_is_pushed_again(tmp_path, trained, destination):
    first = run(tmp_path, trained, destination)
    run(tmp_path, other(trained), destination, "other")

    again = run(tmp_path, trained, destination, "again")

    assert visible(destination) == ["1", "2", "3"]
    assert again.properties["pushed_version"] == "3"
    assert not still_true({"pushed_model": first})


def test_leftovers_of_a_dead_pusher_are_removed(tmp_path, trained, destination):
    (destination / ".penstock-dead" / "variables").mkdir(parents=True)
    (destination / ".penstock-dead" / "saved_model.pb").write_bytes(b"half")

    run(tmp_path, trained, destination)

    assert visible(destination) == ["1"]
    assert leftovers(destination) == []


def test_a_pusher_killed_while_copying_leaves_no_version(tmp_path, trained, destination):
    big = shutil.copytree(trained.path, tmp_path / "big")
    with open(big / "Format-Serving" / "assets.bin", "wb") as file:
        file.truncate(1 << 30)
    code = (
        "import sys; from penstock.components.push.push import Source, push;"
        "push(Source(sys.argv[1], sys.argv[1] + '/Format-Serving', 'model-1:big'), sys.argv[2])"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(big), str(destination)])
    deadline = time.monotonic() + 30
    while not (destination.exists() and leftovers(destination)) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert visible(destination) == []
    assert leftovers(destination) != []
    run(tmp_path, trained, destination)
    assert visible(destination) == ["1"]
    assert leftovers(destination) == []


@pytest.mark.parametrize(("digests", "expected"), [("ab", ["1", "2"]), ("aa", ["1"])])
def test_two_pushers_at_once_take_turns(trained, destination, digests, expected):
    code = (
        "import sys; from penstock.components.push.push import Source, push;"
        "push(Source(sys.argv[1], sys.argv[1] + '/Format-Serving', sys.argv[3]), sys.argv[2])"
    )
    command = [sys.executable, "-c", code, trained.path, str(destination)]
    processes = [subprocess.Popen([*command, f"model-1:{digest}"]) for digest in digests]
    codes = [process.wait() for process in processes]

    assert codes == [0, 0]
    assert visible(destination) == expected
    assert leftovers(destination) == []
    records = [read_record(str(destination / version)) for version in expected]
    assert {record.model_digest for record in records} == {f"model-1:{digest}" for digest in digests}


def test_a_push_holds_until_the_version_is_deleted(tmp_path, trained, destination):
    pushed = run(tmp_path, trained, destination)
    assert still_true({"pushed_model": pushed})

    shutil.rmtree(destination / "1")

    assert not still_true({"pushed_model": pushed})


def test_a_deleted_version_is_pushed_again(tmp_path, trained, destination):
    run(tmp_path, trained, destination)
    shutil.rmtree(destination)

    run(tmp_path, trained, destination, "again")

    assert visible(destination) == ["1"]


def flip_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    times = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    "tamper",
    [
        flip_byte,
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        lambda path: path.unlink(),
        lambda path: (path.parent / "_penstock.json").unlink(),
        lambda path: (path.parent / "_penstock.json").write_text("{"),
    ],
    ids=["flipped byte", "longer", "missing", "no record", "broken record"],
)
def test_a_tampered_version_does_not_hold_and_is_pushed_anew(tmp_path, trained, destination, tamper):
    pushed = run(tmp_path, trained, destination)

    tamper(destination / "1" / "saved_model.pb")

    assert not still_true({"pushed_model": pushed})
    again = run(tmp_path, trained, destination, "again")
    assert again.properties["pushed_version"] == "2"


def test_a_version_that_was_copied_back_still_holds(tmp_path, trained, destination):
    pushed = run(tmp_path, trained, destination)
    shutil.copytree(destination, tmp_path / "backup")
    shutil.rmtree(destination)

    shutil.copytree(tmp_path / "backup", destination)

    assert still_true({"pushed_model": pushed})


def test_a_refused_model_is_not_pushed_and_the_reason_names_the_bound(tmp_path, trained, destination):
    reasons = ["accuracy is 0.8 overall; at least 0.9 was asked"]
    refused = ModelBlessing("", properties={"blessed": 0, "reasons": reasons})

    with pytest.raises(Skip, match=r"ModelBlessing refuses the model: accuracy is 0\.8 overall; at least 0\.9"):
        run(tmp_path, trained, destination, model_blessing=refused)

    assert not destination.exists()


def test_both_blessings_are_needed_when_both_are_given(tmp_path, trained, destination):
    blessings = {
        "model_blessing": ModelBlessing("", properties={"blessed": 1, "reasons": []}),
        "infra_blessing": InfraBlessing("", properties={"blessed": 0}),
    }

    with pytest.raises(Skip, match="InfraBlessing refuses the model: it gives no reason"):
        run(tmp_path, trained, destination, **blessings)


def test_a_blessed_model_is_pushed(tmp_path, trained, destination):
    blessed = ModelBlessing("", properties={"blessed": 1, "reasons": []})

    run(tmp_path, trained, destination, model_blessing=blessed)

    assert visible(destination) == ["1"]


def test_a_model_whose_files_changed_since_training_is_not_pushed(tmp_path, trained, destination):
    copied = shutil.copytree(trained.path, tmp_path / "copied")
    flip_byte(copied / "Format-Serving" / "saved_model.pb")

    with pytest.raises(PlatformError, match=r"saved_model\.pb is not what the training step recorded"):
        run(tmp_path, Model(str(copied), digest="model-1:aa"), destination)

    assert visible(destination) == leftovers(destination) == []


def test_a_model_that_lost_a_file_since_training_is_not_pushed(tmp_path, trained, destination):
    copied = shutil.copytree(trained.path, tmp_path / "copied")
    (copied / "Format-Serving" / "penstock_model.json").unlink()

    with pytest.raises(PlatformError, match=r"lacks penstock_model\.json, which the training step recorded"):
        run(tmp_path, Model(str(copied), digest="model-1:aa"), destination)


def test_a_folder_without_a_saved_model_is_refused(tmp_path, destination):
    with pytest.raises(UserCodeError, match=r"holds no saved_model\.pb"):
        run(tmp_path, Model(str(tmp_path)), destination)


def test_a_destination_that_is_a_file_is_named(tmp_path, trained, destination):
    destination.parent.mkdir()
    destination.write_text("")

    with pytest.raises(ParameterError, match=r"penguins must be a folder, and .*penguins is a file"):
        run(tmp_path, trained, destination)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_destination_that_cannot_be_written_is_named(tmp_path, trained, destination):
    destination.mkdir(parents=True)
    destination.chmod(0o500)

    with pytest.raises(PlatformError, match="can't be written"):
        run(tmp_path, trained, destination)


def test_a_push_that_finds_no_room_leaves_nothing_behind(tmp_path, trained, destination):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        with pytest.raises(PlatformError, match=r"No room for the model at .*Nothing was pushed"):
            push(Source(trained.path, os.path.join(trained.path, "Format-Serving")), str(destination))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert visible(destination) == leftovers(destination) == []
    run(tmp_path, trained, destination)
    assert visible(destination) == ["1"]
