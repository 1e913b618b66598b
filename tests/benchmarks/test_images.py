from __future__ import annotations

import dataclasses
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diswot.benchmarks import images
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.images import cifar, draw, files, imagenet16

FILES = {
    "cifar10": ("cifar-10-batches-py", [f"data_batch_{n}" for n in range(1, 6)], "test_batch", "labels", 32, 10, 0),
    "cifar100": ("cifar-100-python", ["train"], "test", "fine_labels", 32, 100, 0),
    "imagenet16-120": (
        "ImageNet16",
        [f"train_data_batch_{n}" for n in range(1, 11)],
        "val_data",
        "labels",
        16,
        1000,
        1,
    ),
}
REAL = tuple(FILES)
PER_FILE = 30


def build(root: Path, name: str, as_bytes: bool = True) -> Path:
    """Write a small set in its official layout; returns its folder."""
    folder, train, test, key, size, labels, lowest = FILES[name]
    (root / folder).mkdir(parents=True)
    random = np.random.default_rng(3)
    for number, file in enumerate([*train, test]):
        content = {
            "data": random.integers(0, 256, (PER_FILE, 3 * size * size), dtype=np.uint8),
            key: [(number + 4 * row) % labels + lowest for row in range(PER_FILE)],
            "mean": np.zeros(3 * size * size),
        }
        stored = {k.encode(): v for k, v in content.items()} if as_bytes else content
        (root / folder / file).write_bytes(pickle.dumps(stored, protocol=2))
    return root / folder


def change(path: Path, alter: Callable[[dict], object]) -> None:
    path.write_bytes(pickle.dumps(alter(files.entries(path))))


def first(name: str) -> str:
    return FILES[name][1][0]


def test_importing_loads_no_torch() -> None:
    code = "import sys, diswot.benchmarks.images; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0


@pytest.mark.parametrize("name", images.SETS)
def test_every_set_says_what_it_is(name: str) -> None:
    image_set = images.get(name)
    assert image_set.name == name
    assert image_set.source
    assert image_set.licence
    assert all(0 <= mean < 1 for mean in image_set.mean)
    assert all(0 < std <= 1 for std in image_set.std)


def test_an_unknown_set_names_the_nearest() -> None:
    with pytest.raises(InputError, match="images: 'cifar-10' is not known; did you mean 'cifar10'"):
        images.sample("cifar-10", 4, seed=0)


@settings(max_examples=20, deadline=None)
@given(
    count=st.integers(1, 20),
    more=st.integers(0, 20),
    seed=st.integers(0, 10**6),
    size=st.sampled_from([1, 4, 5, 32]),
    classes=st.integers(1, 120),
)
def test_noise_is_seeded_and_a_longer_draw_begins_with_the_shorter(
    count: int, more: int, seed: int, size: int, classes: int
) -> None:
    before = torch.random.get_rng_state()
    short = images.sample("noise", count, seed=seed, classes=classes, size=size)
    long = images.sample("noise", count + more, seed=seed, classes=classes, size=size)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert short.images.shape == (count, 3, size, size)
    assert (short.images.dtype, short.labels.dtype) == (torch.float32, torch.int64)
    assert 0 <= int(short.labels.min()) <= int(short.labels.max()) < classes
    assert long.split(count)[0].digest() == short.digest()
    assert images.sample("noise", count, seed=seed + 1, classes=classes, size=size).digest() != short.digest()


def test_noise_is_normal_and_its_labels_uniform() -> None:
    batch = images.sample("noise", 500, seed=0, classes=10)
    assert len(batch) == 500
    # 1.5 million values: a standard error of 8e-4 for the mean and 6e-4 for the deviation; five of them are allowed.
    assert abs(float(batch.images.mean())) < 4e-3
    assert abs(float(batch.images.std()) - 1) < 3e-3
    counts = torch.bincount(batch.labels, minlength=10)
    # 50 expected in each class, standard deviation 6.7; four of them are allowed.
    assert int((counts - 50).abs().max()) < 27


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"classes": None}, "classes: noise has no number of classes of its own; give one"),
        ({"classes": 0}, "classes: 0 is too small; it must be 1 or more"),
        ({"size": 0}, "size: 0 is too small"),
        ({"count": 0}, "count: 0 is too small"),
        ({"count": -2}, "count: -2 is too small"),
        ({"augment": True}, "augment: noise has no training augmentation"),
    ],
)
def test_noise_refuses_what_it_cannot_be(arguments: dict, sentence: str) -> None:
    given_arguments = {"name": "noise", "count": 4, "seed": 0, "classes": 10} | arguments
    with pytest.raises(InputError, match=sentence):
        images.sample(**given_arguments)


def test_noise_has_no_files() -> None:
    with pytest.raises(InputError, match="images: noise has no files to read"):
        images.read("noise", "train", None)


@pytest.mark.parametrize("as_bytes", [True, False])
@pytest.mark.parametrize("name", REAL)
def test_the_official_layout_is_read(tmp_path: Path, name: str, as_bytes: bool) -> None:
    folder = build(tmp_path, name, as_bytes)
    image_set = images.get(name)
    for split in ("train", "test"):
        pixels, labels = images.read(name, split, folder)
        assert pixels.shape == (len(labels), 3, image_set.size, image_set.size)
        assert (pixels.dtype, labels.dtype) == (np.uint8, np.int64)
        assert labels.min() >= 0
        assert labels.max() < (image_set.classes or 0)
        for again, expected in zip(images.read(name, split, tmp_path), (pixels, labels), strict=True):
            np.testing.assert_array_equal(again, expected)


def test_cifar_images_are_channels_then_rows(tmp_path: Path) -> None:
    path = build(tmp_path, "cifar100") / "train"
    rows: list[np.ndarray] = []
    change(path, lambda content: rows.append(content["data"]) or content)
    pixels, _ = cifar.load("cifar100", "train", tmp_path)
    np.testing.assert_array_equal(pixels[5, 1, 2], rows[0][5, 1024 + 64 : 1024 + 96])


def test_imagenet16_keeps_the_first_120_classes_and_counts_from_0(tmp_path: Path) -> None:
    path = build(tmp_path, "imagenet16-120") / "val_data"
    change(path, lambda content: {**content, "labels": [1, 120, 121, 1000] + [500] * (PER_FILE - 4)})
    pixels, labels = imagenet16.load("imagenet16-120", "test", tmp_path)
    assert labels.tolist() == [0, 119]
    assert len(pixels) == 2
    change(path, lambda content: {**content, "labels": [500] * PER_FILE})
    with pytest.raises(InputError, match="holds no image of the first 120 classes"):
        imagenet16.load("imagenet16-120", "test", tmp_path)


@pytest.mark.parametrize("name", REAL)
def test_a_draw_is_normalised_training_images_without_replacement(tmp_path: Path, name: str) -> None:
    build(tmp_path, name)
    image_set = images.get(name)
    pixels, labels = images.read(name, "train", tmp_path)
    before = torch.random.get_rng_state()
    batch = images.sample(name, len(labels), seed=1, image_dir=tmp_path, classes=image_set.classes)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert batch.images.dtype == torch.float32
    mean, std = (np.array(values).reshape(3, 1, 1) for values in (image_set.mean, image_set.std))
    raw = np.rint((batch.images.numpy() * std + mean) * 255).astype(np.uint8)
    drawn = sorted(zip([image.tobytes() for image in raw], batch.labels.tolist(), strict=True))
    assert drawn == sorted(zip([image.tobytes() for image in pixels], labels.tolist(), strict=True))
    short = images.sample(name, 7, seed=1, image_dir=tmp_path)
    assert batch.split(7)[0].digest() == short.digest()
    assert images.sample(name, 7, seed=2, image_dir=tmp_path).digest() != short.digest()


def test_a_draw_does_not_depend_on_the_order_of_the_files() -> None:
    random = np.random.RandomState(0)
    pixels = random.randint(0, 3, (200, 3, 2, 2), dtype=np.uint8)
    pixels[100:] = pixels[:100]  # equal images, some with equal labels
    labels = random.randint(0, 2, 200).astype(np.int64)
    order = draw.by_content(pixels, labels)
    assert sorted(order) == list(range(200))
    expected = sorted(range(200), key=lambda i: (pixels[i].tobytes(), labels[i]))
    for shuffled in (np.arange(200), random.permutation(200)):
        found = shuffled[draw.by_content(pixels[shuffled], labels[shuffled])]
        np.testing.assert_array_equal(pixels[found], pixels[expected])
        np.testing.assert_array_equal(labels[found], labels[expected])


@pytest.mark.parametrize("name", REAL)
def test_augmentation_crops_and_mirrors_the_same_images(tmp_path: Path, name: str) -> None:
    build(tmp_path, name)
    plain = images.sample(name, 20, seed=1, image_dir=tmp_path)
    augmented = images.sample(name, 20, seed=1, image_dir=tmp_path, augment=True)
    assert torch.equal(plain.labels, augmented.labels)
    assert augmented.images.shape == plain.images.shape
    assert augmented.digest() != plain.digest()
    again = images.sample(name, 30, seed=1, image_dir=tmp_path, augment=True)
    assert again.split(20)[0].digest() == augmented.digest()


def test_a_crop_is_a_window_of_the_padded_image_perhaps_mirrored() -> None:
    random = np.random.default_rng(0)
    pixels = torch.from_numpy(random.integers(1, 256, (200, 3, 8, 8), dtype=np.uint8))
    padded = np.pad(pixels.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)))
    augmented = draw.augment(pixels, 2, draw.generator(0, "test")).numpy()
    seen = set()
    for image, window in zip(augmented, padded, strict=True):
        found = [
            (top, left, mirrored)
            for top in range(5)
            for left in range(5)
            for mirrored in (False, True)
            if np.array_equal(image[:, :, ::-1] if mirrored else image, window[:, top : top + 8, left : left + 8])
        ]
        assert len(found) == 1
        seen.add(found[0])
    # 50 outcomes, 200 draws: an even draw leaves out one in 57, so 40 or more are seen for any sound generator.
    assert len(seen) >= 40


def test_a_divisor_of_the_size_averages(tmp_path: Path) -> None:
    build(tmp_path, "cifar10")
    whole = images.sample("cifar10", 5, seed=1, image_dir=tmp_path)
    half = images.sample("cifar10", 5, seed=1, image_dir=tmp_path, size=16)
    expected = whole.images.reshape(5, 3, 16, 2, 16, 2).mean((3, 5))
    # Four numbers of order 1 summed in another order: a few units of float32 rounding.
    torch.testing.assert_close(half.images, expected, rtol=0, atol=1e-6)


def test_a_draw_refuses_what_the_set_does_not_have(tmp_path: Path) -> None:
    build(tmp_path, "cifar100")
    with pytest.raises(InputError, match="count: 31 images were asked for; cifar100 here has 30 to train on"):
        images.sample("cifar100", 31, seed=0, image_dir=tmp_path)
    with pytest.raises(InputError, match="classes: 10 was given; cifar100 has 100"):
        images.sample("cifar100", 3, seed=0, image_dir=tmp_path, classes=10)
    with pytest.raises(InputError, match="size: 20 was given; cifar100 has 32 pixels a side, or a divisor"):
        images.sample("cifar100", 3, seed=0, image_dir=tmp_path, size=20)


def test_unknown_splits_and_names_are_refused() -> None:
    with pytest.raises(InputError, match="split: 'valid' is not known"):
        cifar.load("cifar10", "valid", None)
    with pytest.raises(InputError, match="split: 'tset' is not known; did you mean 'test'"):
        imagenet16.load("imagenet16-120", "tset", None)
    with pytest.raises(InputError, match="CIFAR set: 'cifar11' is not known"):
        cifar.load("cifar11", "test", None)


@pytest.mark.parametrize("name", REAL)
def test_a_missing_folder_or_file_says_what_was_looked_for_and_where(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"image_dir: .* {name} .* none was given; the official layout is "):
        images.sample(name, 3, seed=0)
    with pytest.raises(InputError, match=f"image_dir: there is no folder '.*absent'; for {name}"):
        images.sample(name, 3, seed=0, image_dir=tmp_path / "absent")
    with pytest.raises(InputError, match=f"image_dir: '.*' lacks {first(name)}.* of {name}; the official layout"):
        images.sample(name, 3, seed=0, image_dir=tmp_path)
    folder = build(tmp_path, name)
    (folder / first(name)).unlink()
    with pytest.raises(InputError, match=f"image_dir: '{re.escape(str(folder))}' lacks {first(name)} of {name}"):
        images.sample(name, 3, seed=0, image_dir=tmp_path)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_fetched_images_are_found_unless_others_are_named(tmp_path: Path, own_cache: Path, name: str) -> None:
    assert images.fetched(name) is None
    with pytest.raises(InputError, match=rf"none was given; .*; `diswot images fetch {name}` gets them\."):
        images.read(name, "test", None)
    folder = build(own_cache / "images", name)
    assert images.fetched(name) == folder
    change(folder / FILES[name][2], lambda content: {**content, "data": content["data"] // 2})
    build(tmp_path, name)
    found, named = images.read(name, "test", None)[0], images.read(name, "test", tmp_path)[0]
    np.testing.assert_array_equal(found, named // 2)
    (folder / FILES[name][2]).unlink()
    with pytest.raises(InputError, match=f"image_dir: '{re.escape(str(folder))}' lacks {FILES[name][2]} of {name}"):
        images.read(name, "test", None)


def test_what_cannot_be_fetched_is_not_offered() -> None:
    assert images.fetchable() == ("cifar10", "cifar100")
    assert images.fetched("noise") is images.fetched("imagenet16-120") is None
    with pytest.raises(InputError, match="none was given") as error:
        images.read("imagenet16-120", "test", None)
    assert "fetch" not in str(error.value)


@pytest.mark.parametrize("name", REAL)
def test_a_damaged_file_is_one_sentence(tmp_path: Path, name: str) -> None:
    path = build(tmp_path, name) / first(name)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=f"{first(name)}' is damaged or is not a pickle"):
        images.sample(name, 3, seed=0, image_dir=tmp_path)


def without(key: str) -> Callable[[dict], dict]:
    return lambda content: {k: v for k, v in content.items() if k != key}


def with_labels(alter: Callable[[list], object]) -> Callable[[dict], dict]:
    return lambda content: {**content, "labels": alter(content["labels"])}


@pytest.mark.parametrize(
    ("alter", "sentence"),
    [
        (lambda content: [1, 2], "holds a list; the official file holds a dictionary"),
        (without("data"), r"'data' is missing; the official file has a uint8 array \(n, 3072\)"),
        (lambda content: {**content, "data": [1]}, "'data' is a list; the official file"),
        (lambda content: {**content, "data": content["data"][:, :768]}, r"'data' is uint8 \(30, 768\); the official"),
        (lambda content: {**content, "data": content["data"] / 255}, r"'data' is float64 \(30, 3072\); the official"),
        (without("labels"), "'labels' is missing; found data, mean, and the official file has a list of 30 labels"),
        (with_labels(lambda labels: "cat"), "'labels' is a str"),
        (with_labels(lambda labels: np.array(3)), "'labels' is a int; .* a list of 30 labels"),
        (with_labels(lambda labels: np.array([labels])), "'labels' is not a list of whole numbers"),
        (with_labels(lambda labels: labels[1:]), "'labels' is 29 values; the file has 30 images"),
        (with_labels(lambda labels: [0.5] * 30), "'labels' is not a list of whole numbers"),
        (with_labels(lambda labels: [*labels[1:], 10]), "'labels' has the label 10; the set's labels are 0 to 9"),
        (with_labels(lambda labels: [-1, *labels[1:]]), "'labels' has the label -1; the set's labels are 0 to 9"),
    ],
)
def test_wrong_content_is_one_sentence(tmp_path: Path, alter: Callable[[dict], object], sentence: str) -> None:
    path = build(tmp_path, "cifar10") / "data_batch_2"
    change(path, alter)
    with pytest.raises(InputError, match=rf"data_batch_2'.* ?{sentence}"):
        images.sample("cifar10", 3, seed=0, image_dir=tmp_path)


def test_imagenet16_labels_count_from_1(tmp_path: Path) -> None:
    change(
        build(tmp_path, "imagenet16-120") / "train_data_batch_3",
        lambda content: {**content, "labels": [0, *content["labels"][1:]]},
    )
    with pytest.raises(InputError, match="has the label 0; the set's labels are 1 to 1000"):
        images.sample("imagenet16-120", 3, seed=0, image_dir=tmp_path)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("split", ["train", "test"])
def test_read_refuses_a_file_that_copies_another(tmp_path: Path, name: str, split: str) -> None:
    folder, train, test, *_ = FILES[name]
    original, copy = (train[0], train[-1]) if split == "train" and len(train) > 1 else (train[0], test)
    build(tmp_path, name)
    copied = files.entries(tmp_path / folder / original)
    change(tmp_path / folder / copy, lambda content: {**copied, "batch_label": copy})
    with pytest.raises(InputError, match=rf"{copy}' holds the same images as {original}; get both files again"):
        images.sample(name, 3, seed=0, image_dir=tmp_path)


def test_read_needs_no_test_file_for_training_images(tmp_path: Path) -> None:
    folder = build(tmp_path, "cifar10")
    expected = images.read("cifar10", "train", folder)[1]
    (folder / "test_batch").unlink()
    np.testing.assert_array_equal(images.read("cifar10", "train", folder)[1], expected)


def test_labels_may_be_an_array(tmp_path: Path) -> None:
    path = build(tmp_path, "cifar100") / "train"
    expected = cifar.load("cifar100", "train", tmp_path)[1]
    change(path, lambda content: {**content, "fine_labels": np.array(content["fine_labels"])})
    np.testing.assert_array_equal(cifar.load("cifar100", "train", tmp_path)[1], expected)


def test_a_batch_is_frozen_and_known_by_its_digest() -> None:
    batch = images.sample("noise", 6, seed=0, classes=10, size=4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        batch.labels = batch.labels  # type: ignore[misc]
    strided = images.Batch(batch.images.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0), batch.labels)
    assert strided.digest() == batch.digest()
    assert images.Batch(batch.images.reshape(6, 3, 2, 8), batch.labels).digest() != batch.digest()
    assert images.Batch(batch.images, batch.labels + 1).digest() != batch.digest()


def test_a_batch_splits_in_order() -> None:
    batch = images.sample("noise", 6, seed=0, classes=10, size=4)
    one, two = batch.split(2, 3)
    assert torch.equal(torch.cat([one.images, two.images]), batch.images[:5])
    assert torch.equal(torch.cat([one.labels, two.labels]), batch.labels[:5])
    for counts in ((), (0,), (4, 3), (-1, 2)):
        with pytest.raises(InputError, match="of a batch of 6"):
            batch.split(*counts)


@pytest.mark.parametrize(("name", "count"), [("cifar10", 50_000), ("cifar100", 10_000)])
def test_real_images(shared_data: Path, name: str, count: int) -> None:
    pixels, labels = images.read(name, "train", shared_data)
    assert len(pixels) == count
    assert np.bincount(labels).tolist() == [count // (images.get(name).classes or 1)] * (images.get(name).classes or 0)
    normalised = images.sample(name, 2_000, seed=0, image_dir=shared_data).images
    # Two thousand images, whose brightness varies by about half a deviation: the mean is known to about 0.015.
    assert normalised.mean((0, 2, 3)).abs().max() < 0.06
    assert (normalised.std((0, 2, 3)) - 1).abs().max() < 0.06
