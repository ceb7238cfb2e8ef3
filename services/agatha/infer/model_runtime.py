"""ONNX sessions of the families: made once, from a file whose hash is in the manifest, on the best provider there is.

Decides which execution provider is used and refuses a model file that is not the one the manifest names.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from agatha.infer.last_findings import LastFindings
from coronary.contract import Family, NetworkFile
from coronary.registry import manifest_of, model_file_of

#: Of the standard library: a command that configures no logging warns on standard error, not in what it prints.
_log = logging.getLogger(__name__)

#: Providers in order of preference; the first that this onnxruntime offers and that can be started is used.
PROVIDER_ORDER = (
    "TensorrtExecutionProvider",
    "CUDAExecutionProvider",
    "OpenVINOExecutionProvider",
    "CPUExecutionProvider",
)


class ModelUnusable(Exception):
    """The model file is missing or not the one the manifest names: permanent until the installation is mended."""


class OnnxSession:
    """One network behind the contract's ``ModelSession``."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    @property
    def provider(self) -> str:
        """Execution provider in use."""
        return str(self._session.get_providers()[0])

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> Sequence[NDArray[np.float32]]:
        """Run the network once."""
        outputs: Sequence[NDArray[np.float32]] = self._session.run(None, dict(inputs))
        return outputs


class ModelRuntime:
    """Sessions of all families in this process, and what was found last (``last_findings``).

    Parameters
    ----------
    providers
        Execution providers in order of preference, with a warning for each that this onnxruntime does not offer; None
        takes those of PROVIDER_ORDER that it does.
    threads
        Threads a session may use for one run.

    Notes
    -----
    Make it after a fork, never before: onnxruntime's threads do not survive one.
    """

    def __init__(self, *, providers: Sequence[str] | None = None, threads: int = 2) -> None:
        wanted = tuple(providers) if providers else PROVIDER_ORDER
        offered = set(onnxruntime.get_available_providers())
        self._providers = [name for name in wanted if name in offered] or ["CPUExecutionProvider"]
        for name in providers or ():
            if name not in offered:
                _log.warning("%s is not offered by this onnxruntime; used: %s", name, ", ".join(self._providers))
        self._threads = threads
        self._sessions: dict[tuple[str, tuple[str, ...]], Mapping[str, OnnxSession]] = {}
        self._lock = threading.Lock()
        self.last_findings = LastFindings()

    def sessions(self, family: Family) -> Mapping[str, OnnxSession]:
        """Sessions of `family` by the names of its networks, made at the first call.

        Raises
        ------
        ModelUnusable
            If a file is missing, has another hash than the manifest, or is refused by onnxruntime.
        """
        with self._lock:
            key = family.name, family.networks
            if key not in self._sessions:
                networks = manifest_of(family).networks
                self._sessions[key] = {name: self._open(family, each) for name, each in networks.items()}
            return self._sessions[key]

    def warm_up(self, families: Sequence[Family]) -> None:
        """Make every session and run it once on zeros, so that the first study does not wait for it."""
        for family in families:
            sessions = self.sessions(family)
            for name, network in manifest_of(family).networks.items():
                sessions[name].run(_zero_inputs(network))

    def providers_in_use(self) -> list[str]:
        """Execution providers of the sessions made so far, sorted."""
        return sorted({each.provider for sessions in self._sessions.values() for each in sessions.values()})

    def _open(self, family: Family, network: NetworkFile) -> OnnxSession:
        data = _checked_model(family, network)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 3
        providers = [(name, _provider_options(name, self._threads)) for name in self._providers]
        try:
            return OnnxSession(onnxruntime.InferenceSession(data, options, providers=providers))
        except Exception as exc:
            raise ModelUnusable(f"{family.name}: onnxruntime cannot load the model: {exc}") from exc


def preferred_provider(providers: Sequence[str] | None = None) -> str:
    """The execution provider that a session made now would ask for first."""
    offered = set(onnxruntime.get_available_providers())
    return next((name for name in (providers or PROVIDER_ORDER) if name in offered), "CPUExecutionProvider")


def _provider_options(provider: str, threads: int) -> dict[str, str]:
    """What a provider has to be told.

    OpenVINO has threads of its own, would round to 16 bits where a CPU can, and would bind the threads of every process
    to the same cores, beginning with the first: two workers would share one.
    """
    if provider == "OpenVINOExecutionProvider":
        unbound = json.dumps({"CPU": {"ENABLE_CPU_PINNING": "NO"}})
        return {"device_type": "CPU", "precision": "FP32", "num_of_threads": str(threads), "load_config": unbound}
    return {}


def verify_models(families: Sequence[Family]) -> dict[str, str]:
    """Analysis → "ok", or what is wrong with its model file."""
    states: dict[str, str] = {}
    for family in families:
        try:
            for network in manifest_of(family).networks.values():
                _checked_model(family, network)
            states[family.name] = "ok"
        except ModelUnusable as exc:
            states[family.name] = str(exc)
    return states


def _checked_model(family: Family, network: NetworkFile) -> bytes:
    try:
        data = model_file_of(family, network).read_bytes()
    except OSError as exc:
        raise ModelUnusable(f"{family.name}: {network.file} is missing") from exc
    digest = hashlib.sha256(data).hexdigest()
    if digest != network.sha256:
        raise ModelUnusable(f"{family.name}: {network.file} has SHA-256 {digest}, the manifest {network.sha256}")
    return data


def _zero_inputs(network: NetworkFile) -> dict[str, NDArray[np.float32]]:
    """One item of zeros for each input; a named (dynamic) axis gets length 1."""
    zeros = {}
    for name, description in network.inputs.items():
        shape = description["shape"]
        assert isinstance(shape, Sequence)
        zeros[name] = np.zeros([n if isinstance(n, int) else 1 for n in shape], np.float32)
    return zeros
