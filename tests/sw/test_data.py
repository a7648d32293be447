# SPDX-License-Identifier: Apache-2.0
"""The registry, where files are found, the download, and inputs in 8 bits."""

import gzip
import hashlib
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from fantastic4 import data
from fantastic4.data import DataSet, fetch, input_quant, registry, sets
from fantastic4.errors import DataError

UNREACHABLE = "http://127.0.0.1:1/"


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return head + array.tobytes()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv(fetch.ENVIRONMENT, raising=False)
    monkeypatch.setattr(fetch, "cache_dir", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def arrays(rng):
    return {
        "x_train": rng.integers(0, 256, (30, 4, 5), dtype=np.uint8),
        "y_train": rng.permutation(np.arange(30, dtype=np.uint8) % 10),
        "x_test": rng.integers(0, 256, (10, 4, 5), dtype=np.uint8),
        "y_test": rng.integers(0, 10, 10, dtype=np.uint8),
    }


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):  # signature of the base class
        pass


@pytest.fixture
def mirror(tmp_path, arrays, monkeypatch):
    """A mirror on this machine with the four files of a small "mnist"; its folder."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    files = {}
    for key, (name, _) in sets.MNIST_FILES.items():
        raw = idx(arrays[key])
        (folder / f"{name}.gz").write_bytes(gzip.compress(raw))
        files[key] = (name, hashlib.md5(raw).hexdigest())
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setattr(sets, "MNIST_FILES", files)
        address = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(sets, "MNIST_MIRRORS", (UNREACHABLE, address))
        yield folder
        server.shutdown()
        thread.join()


def small(normalise="feature", **changed):
    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    parts = {"x_train": x, "y_train": np.arange(6) % 2, "x_test": x, "y_test": np.arange(6) % 2}
    return DataSet("small", **(parts | changed), classes=("a", "b"), normalise=normalise)


def test_digits_is_split_by_class_and_seed():
    first, again, other = (data.load("digits", seed=seed) for seed in (0, 0, 1))
    assert first.x_train.shape == (1437, 64)
    assert first.x_test.shape == (360, 64)
    assert np.array_equal(first.x_test, again.x_test)
    assert not np.array_equal(first.x_test, other.x_test)
    counts = np.bincount(first.y_test)
    assert counts.min() >= 34
    assert counts.max() <= 38
    rows = np.concatenate([first.x_train, first.x_test])
    assert np.array_equal(
        rows.astype(int).sum(axis=0),
        np.concatenate([other.x_train, other.x_test]).astype(int).sum(axis=0),
    )


def test_registry_needs_neither_torch_nor_sklearn():
    code = "import sys, fantastic4.data; assert not {'torch', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_another_data_set_is_one_function(monkeypatch):
    monkeypatch.setattr(registry, "_LOADERS", dict(registry._LOADERS))

    @data.dataset("small")
    def loader(files, seed):
        return small()

    assert "small" in data.names()
    assert data.load("small").features == 2


def test_unknown_name():
    with pytest.raises(DataError, match="no data set 'nist'; choose one of digits, mnist"):
        data.load("nist")


@pytest.mark.parametrize(
    ("name", "train", "test", "features"),
    [("mnist", 60000, 10000, 784), ("gsc12", 25695, 4890, 220), ("har", 7415, 2996, 144)],
)
def test_real_sets(data_dir, name, train, test, features):
    loaded = data.load(name, data_dir)
    assert loaded.x_train.shape == (train, features)
    assert loaded.x_test.shape == (test, features)


def test_mnist_is_downloaded_once(cache, mirror, arrays):
    told = []
    loaded = data.load("mnist", progress=lambda *what: told.append(what))
    assert np.array_equal(loaded.x_train, arrays["x_train"].reshape(30, 20))
    assert np.array_equal(loaded.y_test, arrays["y_test"])
    assert {name for name, _, _ in told} == {name for name, _ in sets.MNIST_FILES.values()}
    assert all(0 < done <= total for _, done, total in told)
    assert [path.name for path in (cache / "mnist").iterdir()] == ["mnist.npz"]
    for path in mirror.iterdir():
        path.unlink()
    assert np.array_equal(data.load("mnist").x_test, loaded.x_test)


def test_bad_checksum_is_refused(cache, mirror, arrays):
    altered = arrays["y_test"] ^ 1
    (mirror / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(altered)))
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte.gz: md5 is .*, must be"):
        data.load("mnist")
    assert not cache.exists()


def test_cut_download_is_refused(cache, mirror):
    path = mirror / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz: Compressed file ended"):
        data.load("mnist")


def test_offline_says_what_was_tried(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(sets, "MNIST_MIRRORS", (UNREACHABLE,))
    with pytest.raises(DataError) as caught:
        data.load("mnist", tmp_path)
    message = str(caught.value)
    for part in (f"not in {tmp_path} (--data-dir)", f"the cache {cache}", UNREACHABLE, "refused"):
        assert part in message
    assert "connect to the internet once, or put the file into a folder" in message
    assert "\n" not in message
    with pytest.raises(DataError, match="no --data-dir, FANTASTIC4_DATA not set; not in the cache"):
        data.load("gsc12")


def test_folder_before_environment_before_cache(cache, tmp_path, arrays, monkeypatch):
    def place(folder, value):
        (folder / "mnist").mkdir(parents=True)
        content = arrays | {"x_test": np.full((10, 4, 5), value, np.uint8)}
        np.savez(folder / "mnist" / "mnist.npz", **content)

    for value, folder in enumerate((cache, tmp_path / "env", tmp_path / "given")):
        place(folder, value)
    assert data.load("mnist").x_test[0, 0] == 0
    monkeypatch.setenv(fetch.ENVIRONMENT, str(tmp_path / "env"))
    assert data.load("mnist").x_test[0, 0] == 1
    assert data.load("mnist", tmp_path / "given").x_test[0, 0] == 2
    assert data.load("mnist", tmp_path / "nothing").x_test[0, 0] == 0


@pytest.mark.parametrize("content", [b"", b"not a zip archive", b"PK\3\4 cut short"])
def test_damaged_file_is_named(tmp_path, content):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "mnist.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"mnist.npz cannot be read, delete or replace it"):
        data.load("mnist", tmp_path)


@pytest.mark.parametrize(
    "raw", [b"", b"\0\0\x09\1\0\0\0\1x", b"\0\0\x08\1\0\0", b"\0\0\x08\1\0\0\0\2x"]
)
def test_malformed_idx(raw):
    with pytest.raises(DataError, match="labels"):
        fetch.parse_idx(raw, "labels")


NAN = np.where(np.arange(12).reshape(6, 2) == 9, np.nan, 1).astype(np.float32)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_train": np.zeros((6, 2))}, "x_train must be uint8 or float32"),
        ({"x_test": np.zeros(6, np.float32)}, "x_test must be uint8 or float32"),
        ({"x_test": np.zeros((6, 3), np.float32)}, "same features"),
        ({"x_test": np.zeros((0, 2), np.float32)}, r"x_test is empty, its shape is \(0, 2\)"),
        ({"x_test": NAN}, "x_test must be finite, not nan in row 4, column 1"),
        ({"y_train": np.arange(6)}, r"y_train must be labels 0..1, not 2 \(row 2\)"),
        ({"y_test": np.arange(6) - 1}, r"y_test must be labels 0..1, not -1 \(row 0\)"),
        ({"y_train": np.zeros(6, np.int64)}, "class 'b' has no example in the training split"),
        ({"validation": np.arange(6) % 2 == 0}, "class 'a' has no example in the training split"),
        ({"validation": np.zeros(5, bool)}, r"validation must be bool \(6,\)"),
        ({"y_test": np.zeros(5, np.int64)}, r"y_test must be int64 \(6,\)"),
        ({"normalise": "none"}, "inputs must be uint8"),
        ({"normalise": "batch"}, "normalise must be one of"),
    ],
)
def test_wrong_arrays_are_refused(changed, message):
    with pytest.raises(DataError, match=message):
        small(**changed)


def test_bytes_stay_as_they_are(rng):
    x = rng.integers(0, 256, (6, 2), dtype=np.uint8)
    scale = input_quant(small("none", x_train=x, x_test=x))
    assert np.array_equal(scale.quant(x), x)
    assert np.allclose(scale.real(x), x / 255)


def test_global_gain_reaches_255():
    scale = input_quant(small("global"))
    assert scale.quant(np.array([[0, 11], [5.5, 20]])).tolist() == [[0, 255], [128, 255]]
    x = -np.ones((6, 2), np.float32)
    with pytest.raises(DataError, match="must be positive"):
        input_quant(small("global", x_train=x))


def test_features_are_standardised_by_the_training_split_alone(rng):
    x = (rng.normal(size=(6000, 3)) * [1, 50, 0] + [0, 1000, 7]).astype(np.float32)
    labels = np.arange(6000) % 2
    scale = input_quant(small(x_train=x, y_train=labels, x_test=x[:6, :] + 9))
    acts = scale.quant(x).astype(float)
    assert scale.zero_point == 128
    assert np.allclose(acts[:, :2].mean(axis=0), 128, atol=1)
    assert np.allclose(acts[:, :2].std(axis=0) * scale.scale, 1, atol=0.02)
    assert (acts[:, 2] == 128).all()  # a constant feature carries nothing
    rounding = np.abs(scale.real(x) - (acts - 128) * scale.scale)
    assert np.quantile(rounding, 0.99) <= scale.scale / 2 * 1.001
