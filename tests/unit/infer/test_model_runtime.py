"""Sessions are made only from the file that the manifest names."""

import json

import numpy as np
import pytest

from agatha.infer import ModelRuntime, ModelUnusable, model_runtime
from agatha.infer.model_runtime import PROVIDER_ORDER, preferred_provider, verify_models
from coronary.calcium_inpainting import CalciumInpainting
from coronary.contract import ModelManifest, NetworkFile
from coronary.lumen_extraction import LumenExtraction
from coronary.registry import FAMILIES, family_named, manifest_of, model_sha256

#: Forms of the papers that stand beside those that ship, for comparison.
COMPARED = (CalciumInpainting("hidden"), LumenExtraction("paper"))


@pytest.mark.parametrize("family", [*FAMILIES, *COMPARED], ids=lambda family: f"{family.name} {family.networks}")
def test_shipped_model_has_the_hash_of_its_manifest_and_runs(family):
    assert verify_models([family]) == {family.name: "ok"}
    runtime = ModelRuntime(providers=["CPUExecutionProvider"], threads=1)
    runtime.warm_up([family])
    has_networks = bool(manifest_of(family).networks)
    assert runtime.providers_in_use() == (["CPUExecutionProvider"] if has_networks else [])


@pytest.mark.parametrize("compared", COMPARED, ids=lambda family: family.name)
def test_a_form_for_comparison_has_sessions_and_a_hash_of_its_own(compared):
    shipped = family_named(compared.name)
    runtime = ModelRuntime(providers=["CPUExecutionProvider"], threads=1)
    assert not runtime.sessions(shipped).keys() & runtime.sessions(compared).keys()
    assert runtime.sessions(shipped).keys() == manifest_of(shipped).networks.keys()
    assert model_sha256(shipped) != model_sha256(compared)


def test_csct_network_gives_probabilities_for_any_number_of_slices():
    family = family_named("csct-scoring")
    session = ModelRuntime(providers=["CPUExecutionProvider"], threads=1).sessions(family)["calcium"]
    shape = manifest_of(family).networks["calcium"].inputs["image"]["shape"]
    image = np.random.default_rng(1).normal(size=(3, *shape[1:])).astype(np.float32)
    (probability,) = session.run({"image": image})
    assert probability.shape == (3, 5, *shape[2:])
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-4)


def test_another_file_is_refused(monkeypatch, tmp_path):
    other = tmp_path / "model.onnx"
    other.write_bytes(b"not the model")
    monkeypatch.setattr(model_runtime, "model_file_of", lambda *_: other)
    with pytest.raises(ModelUnusable, match="SHA-256"):
        ModelRuntime(threads=1).sessions(FAMILIES[0])
    assert "SHA-256" in verify_models(FAMILIES[:1])[FAMILIES[0].name]


def test_missing_file_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(model_runtime, "model_file_of", lambda *_: tmp_path / "model.onnx")
    with pytest.raises(ModelUnusable, match="missing"):
        ModelRuntime(threads=1).sessions(FAMILIES[0])


def test_first_offered_provider_is_preferred():
    assert preferred_provider(["NoSuchExecutionProvider", "CPUExecutionProvider"]) == "CPUExecutionProvider"
    assert preferred_provider(["NoSuchExecutionProvider"]) == "CPUExecutionProvider"


def test_a_provider_that_was_asked_for_and_is_not_offered_is_warned_of(monkeypatch, caplog):
    monkeypatch.setattr(model_runtime.onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    ModelRuntime(providers=["CUDAExecutionProvider", "CPUExecutionProvider"])
    (line,) = caplog.messages
    assert line == "CUDAExecutionProvider is not offered by this onnxruntime; used: CPUExecutionProvider"
    caplog.clear()
    ModelRuntime()
    ModelRuntime(providers=["CPUExecutionProvider"])
    assert caplog.messages == []


def test_openvino_uses_the_threads_of_the_setting_on_any_core_and_does_not_round(monkeypatch):
    asked = []
    monkeypatch.setattr(model_runtime.onnxruntime, "get_available_providers", lambda: list(PROVIDER_ORDER))
    monkeypatch.setattr(
        model_runtime.onnxruntime,
        "InferenceSession",
        lambda _data, _options, providers: asked.append(providers),
    )
    ModelRuntime(providers=["OpenVINOExecutionProvider", "CPUExecutionProvider"], threads=3).sessions(FAMILIES[0])
    (openvino, options), other = asked[0]
    assert (openvino, other) == ("OpenVINOExecutionProvider", ("CPUExecutionProvider", {}))
    assert json.loads(options.pop("load_config")) == {"CPU": {"ENABLE_CPU_PINNING": "NO"}}
    assert options == {"device_type": "CPU", "precision": "FP32", "num_of_threads": "3"}


def test_unknown_analysis_names_the_known_ones():
    with pytest.raises(KeyError, match="csct-scoring"):
        family_named("no-such-analysis")


def test_hash_of_several_networks_changes_with_each_of_them_and_not_with_their_order():
    def manifest(**hashes):
        return ModelManifest("m", "1", {name: NetworkFile("f", sha, 18, {}) for name, sha in hashes.items()}, {})

    assert manifest(tree="a").sha256 == "a"
    assert manifest(tree="a", aorta="b").sha256 == manifest(aorta="b", tree="a").sha256
    assert manifest(tree="a", aorta="b").sha256 != manifest(tree="b", aorta="a").sha256
