from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ccvae.errors import InputError
from datasets import writer as writer_module
from datasets.spec import StoreSpec, split_counts
from datasets.store import Store, finished
from datasets.writer import WRITE_IMAGES, ImageRows, StoreWriter

SPEC = StoreSpec(
    name="tiny",
    kind="multi_label",
    labels=("a", "b"),
    image_shape=(3, 4, 5),
    counts={"train": 6, "validation": 3, "test": 2},
    source="a test",
    options={"seed": 1},
)
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (11, 3, 4, 5), dtype=np.uint8)
LABELS = RANDOM.integers(0, 2, (11, 2), dtype=np.uint8)


def write(folder: Path, spec: StoreSpec = SPEC, chunk: int = 4) -> Store:
    with StoreWriter(folder, spec) as writer:
        while writer.done < spec.total:
            rows = slice(writer.done, writer.done + chunk)
            writer.write(IMAGES[rows], LABELS[rows])
    return Store.open(folder)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return write(tmp_path / "store")


def test_what_was_written_is_read(store: Store) -> None:
    assert np.array_equal(store.images, IMAGES)
    assert np.array_equal(store.labels, LABELS)
    assert store.split.tolist() == [0] * 6 + [1] * 3 + [2] * 2
    assert store.indices("validation").tolist() == [6, 7, 8]
    assert store.indices("test").dtype == np.int64
    assert store.prevalence == pytest.approx(LABELS[:6].mean(axis=0))
    assert (store.name, store.kind, store.label_names) == ("tiny", "multi_label", ("a", "b"))
    assert store.image_shape == (3, 4, 5)
    assert not store.stand_in
    store.verify()


def test_images_stay_on_disk(store: Store) -> None:
    assert isinstance(store.images, np.memmap)
    assert not store.images.flags.writeable


def test_what_is_written_to_the_writable_images_never_reaches_the_file(store: Store) -> None:
    images = store.writable_images()
    images[0] = 255 - images[0]
    np.testing.assert_array_equal(Store.open(store.folder).images, IMAGES)
    store.verify()


def test_nothing_is_left_beside_the_store(store: Store) -> None:
    assert [path.name for path in store.folder.parent.iterdir()] == ["store"]
    assert sorted(path.name for path in store.folder.iterdir()) == [
        "images.npy",
        "labels.npy",
        "split.npy",
        "store.json",
    ]


def test_class_prevalence(tmp_path: Path) -> None:
    spec = dataclasses.replace(SPEC, kind="multi_class", labels=("x", "y", "z"))
    labels = np.array([0, 0, 0, 2, 2, 1, 0, 0, 0, 0, 0], dtype=np.uint8)[:, None]
    with StoreWriter(tmp_path / "store", spec) as writer:
        writer.write(IMAGES, labels)
    assert Store.open(tmp_path / "store").prevalence == pytest.approx([3 / 6, 1 / 6, 2 / 6])


def test_checksum_follows_content_not_chunks_or_wording(tmp_path: Path, store: Store) -> None:
    other = dataclasses.replace(SPEC, source="another sentence", notes=("A note.",))
    assert write(tmp_path / "b", other, chunk=11).checksum == store.checksum
    digests = [
        hashlib.sha256((store.folder / name).read_bytes()).hexdigest()
        for name in ("images.npy", "labels.npy", "split.npy")
    ]
    assert store.checksum == hashlib.sha256("".join(digests).encode()).hexdigest()
    store.require_checksum(store.checksum, "the model in a")
    with pytest.raises(InputError, match="the model in a was made from a store with ffff"):
        store.require_checksum("f" * 64, "the model in a")


def test_finished_knows_its_own_options(store: Store) -> None:
    found = finished(store.folder, SPEC)
    assert found is not None
    assert found.checksum == store.checksum
    assert finished(store.folder, dataclasses.replace(SPEC, options={"seed": 2})) is None
    assert finished(store.folder, dataclasses.replace(SPEC, source="reworded")) is not None


def interrupt(folder: Path, spec: StoreSpec = SPEC, rows: int = 4) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_and_stop(folder, spec, rows)


def write_and_stop(folder: Path, spec: StoreSpec, rows: int) -> None:
    with StoreWriter(folder, spec) as writer:
        assert writer.done == 0
        writer.write(IMAGES[:rows], LABELS[:rows])
        raise KeyboardInterrupt


def test_interrupted_is_not_a_store(tmp_path: Path) -> None:
    interrupt(tmp_path / "store")
    with pytest.raises(InputError, match="There is no data store at"):
        Store.open(tmp_path / "store")
    assert finished(tmp_path / "store", SPEC) is None


def test_interruption_leaves_the_older_store(tmp_path: Path, store: Store) -> None:
    interrupt(store.folder, dataclasses.replace(SPEC, options={"seed": 2}))
    Store.open(store.folder).verify()


def test_resume_continues_after_the_last_chunk(tmp_path: Path, store: Store) -> None:
    interrupt(tmp_path / "resumed")
    with StoreWriter(tmp_path / "resumed", SPEC) as writer:
        assert writer.done == 4
        writer.write(IMAGES[4:], LABELS[4:])
    assert Store.open(tmp_path / "resumed").checksum == store.checksum


def test_other_processes_may_write_the_images(tmp_path: Path, store: Store) -> None:
    with StoreWriter(tmp_path / "shared", SPEC) as writer:
        # In any order, as long as rows are there before they are counted.
        for start in (6, 0):
            writer.rows.put(start, IMAGES[start : start + 6])
        for start in (0, 6):
            writer.advance(LABELS[start : start + 6])
    assert Store.open(tmp_path / "shared").checksum == store.checksum


@pytest.mark.parametrize("n", [0, 1, WRITE_IMAGES, WRITE_IMAGES + 1, 2 * WRITE_IMAGES + 3])
def test_rows_of_any_number_lie_where_they_belong(tmp_path: Path, n: int) -> None:
    images = np.random.default_rng(n).integers(0, 256, (n, 3, 4, 5), dtype=np.uint8)
    before, skipped, after = b"head", bytes(2 * 60), b"tail"
    path = tmp_path / "images"
    path.write_bytes(before + skipped + bytes(images.nbytes) + after)
    ImageRows(path, len(before), (3, 4, 5)).put(2, iter(images))
    assert path.read_bytes() == before + skipped + images.tobytes() + after


@pytest.mark.parametrize("image", [IMAGES[0].astype(np.float32), IMAGES[0, :, :3]])
def test_rows_refuse_other_images(tmp_path: Path, image: np.ndarray) -> None:
    with (
        pytest.raises(ValueError, match="cannot become a row"),
        StoreWriter(tmp_path / "s", SPEC) as writer,
    ):
        writer.rows.put(0, [image])


def test_a_writer_killed_after_the_last_chunk_still_vouches_for_all(tmp_path: Path) -> None:
    StoreWriter(tmp_path / "killed", SPEC).__enter__().write(IMAGES, LABELS)
    with StoreWriter(tmp_path / "killed", SPEC) as writer:
        assert writer.done == SPEC.total
    Store.open(tmp_path / "killed").verify()


def test_a_killed_writer_keeps_what_it_had_counted(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(writer_module, "KEEP_EVERY_S", 0)
    StoreWriter(tmp_path / "killed", SPEC).__enter__().write(IMAGES[:4], LABELS[:4])
    with StoreWriter(tmp_path / "killed", SPEC) as writer:
        assert writer.done == 4
        writer.write(IMAGES[4:], LABELS[4:])


@pytest.mark.parametrize("change", [{"options": {"seed": 2}}, {"labels": ("a", "c")}])
def test_other_options_start_anew(tmp_path: Path, change: dict) -> None:
    interrupt(tmp_path / "store")
    # The second attempt asserts that it begins with the first row.
    interrupt(tmp_path / "store", dataclasses.replace(SPEC, **change))


@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "progress.json"])
def test_damaged_progress_starts_anew(tmp_path: Path, name: str) -> None:
    interrupt(tmp_path / "store")
    (tmp_path / ".store.partial" / name).write_bytes(b"damaged")
    assert np.array_equal(write(tmp_path / "store").images, IMAGES)


def test_writer_refuses_what_the_spec_did_not_announce(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="images float64"), StoreWriter(tmp_path / "s", SPEC) as w:
        w.write(IMAGES.astype(np.float64), LABELS)
    with (
        pytest.raises(ValueError, match="5 images came with 4"),
        StoreWriter(tmp_path / "s", SPEC) as w,
    ):
        w.write(IMAGES[:5], LABELS[:4])
    with pytest.raises(ValueError, match="only 5 of 11"), StoreWriter(tmp_path / "s", SPEC) as w:
        w.write(IMAGES[:5], LABELS[:5])
    assert not (tmp_path / "s").exists()


def test_full_disk_is_told_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with (
        pytest.raises(InputError, match=r"only 0.00 GB are free"),
        StoreWriter(tmp_path / "s", SPEC),
    ):
        pass


def test_missing_and_unfinished(tmp_path: Path, store: Store) -> None:
    with pytest.raises(InputError, match=r"There is no data store at .*nowhere"):
        Store.open(tmp_path / "nowhere")
    (store.folder / "store.json").unlink()
    with pytest.raises(InputError, match=r"has no store.json, so its preparation did not finish"):
        Store.open(store.folder)


def test_missing_array(store: Store) -> None:
    (store.folder / "labels.npy").unlink()
    with pytest.raises(InputError, match=r"is damaged: labels.npy is missing"):
        Store.open(store.folder)


def test_truncated_array(store: Store) -> None:
    path = store.folder / "images.npy"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"is damaged: images.npy cannot be read"):
        Store.open(store.folder)


def test_arrays_of_different_stores(store: Store) -> None:
    np.save(store.folder / "labels.npy", LABELS[:10])
    with pytest.raises(InputError, match=r"labels.npy is uint8 \(10, 2\) where uint8 \(11, 2\)"):
        Store.open(store.folder)


def test_split_that_does_not_count(store: Store) -> None:
    np.save(store.folder / "split.npy", np.zeros(11, dtype=np.uint8))
    with pytest.raises(InputError, match=r"split.npy does not have the numbers"):
        Store.open(store.folder)


@pytest.mark.parametrize("key", ["counts", "sha256", "prevalence", "kind", "stand_in"])
def test_json_without_a_key(store: Store, key: str) -> None:
    meta = json.loads((store.folder / "store.json").read_text())
    del meta[key]
    (store.folder / "store.json").write_text(json.dumps(meta))
    with pytest.raises(InputError, match=f"is damaged: store.json lacks .*{key}"):
        Store.open(store.folder)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 2}'])
def test_unreadable_json(store: Store, text: str) -> None:
    (store.folder / "store.json").write_text(text)
    with pytest.raises(InputError, match=r"is damaged: store.json"):
        Store.open(store.folder)


def test_verify_sees_one_changed_pixel(store: Store) -> None:
    path = store.folder / "images.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"images.npy does not have the checksum"):
        Store.open(store.folder).verify()


def test_unknown_split(store: Store) -> None:
    with pytest.raises(InputError, match="There is no split 'val'"):
        store.indices("val")


def test_split_counts() -> None:
    largest = {"train": 5, "validation": 4, "test": 3}
    assert split_counts({"test": 2}, option="limit", largest=largest) == {
        "train": 5,
        "validation": 4,
        "test": 2,
    }
    for sizes, sentence in (
        ({"val": 2}, "names the split 'val'"),
        ({"test": 4}, "asks for 4 images for 'test', but there are only 3"),
        ({"test": 0}, "asks for 0 images for 'test', but a whole number of at least 1"),
        ({"test": True}, "asks for True images"),
        ({"test": 1.5}, "asks for 1.5 images"),
        ([1], "a mapping of"),
    ):
        with pytest.raises(InputError, match=sentence):
            split_counts(sizes, option="limit", largest=largest)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="has no number of images for 'validation'"):
        split_counts({"train": 1, "test": 1}, option="sizes")
