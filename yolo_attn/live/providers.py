"""Which execution provider of ONNX Runtime runs a model here, and why the better ones do not."""

import contextlib
import ctypes
import io
import os
import sys
from pathlib import Path

import onnxruntime

from yolo_attn.errors import AttentionError

# The best first, by the name that ONNX Runtime gives it.
PROVIDERS = {
    "TensorRT": "TensorrtExecutionProvider",
    "CUDA": "CUDAExecutionProvider",
    "OpenVINO": "OpenVINOExecutionProvider",
    "CPU": "CPUExecutionProvider",
}


def open_session(file: Path, device: str, threads: int) -> tuple[onnxruntime.InferenceSession, str]:
    """Returns a session for `file` on the best provider that starts, and a line that says which and why.

    Raises:
        AttentionError: ONNX Runtime cannot read the file, or `device` names a GPU that it cannot use.
    """
    gpu = "0" if device in ("", "cpu", "cuda") else device.removeprefix("cuda:")
    if not gpu.isdecimal():
        raise AttentionError(f"device={device} is unknown: write device=cpu, or the number of a GPU as in device=0")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the other stages need the cores
    options.log_severity_level = 4  # a provider that does not start is said by our own line
    refused = []
    for provider in PROVIDERS if device != "cpu" else ("CPU",):
        reason = _absent(provider)
        if not reason:
            try:
                session = _open(file, options, provider, int(gpu))
            except Exception as error:
                if provider == "CPU":
                    raise AttentionError(f"ONNX Runtime cannot load '{file}': {_line(error)}") from None
                reason = _unresolved(provider) or f"cannot start: {_line(error)}"
            else:
                if session.get_providers()[0] == PROVIDERS[provider]:
                    break
                reason = _unresolved(provider) or "did not start"
        refused.append(f"{provider} {reason}")
    if device not in ("", "cpu") and provider == "CPU":
        raise AttentionError(f"device={device} cannot be used here: {'; '.join(refused)}. device=cpu works")
    said = f"ONNX Runtime {onnxruntime.__version__} on {provider}"
    return session, said + (f" ({'; '.join(refused)})" if refused else "")


def _open(file: Path, options: onnxruntime.SessionOptions, provider: str, gpu: int) -> onnxruntime.InferenceSession:
    settings: dict[str, object] = {}
    if provider in ("TensorRT", "CUDA"):
        settings["device_id"] = gpu
    if provider == "TensorRT":
        settings |= {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(_cache())}
    if provider in ("TensorRT", "CUDA") and hasattr(
        onnxruntime, "preload_dlls"
    ):  # CUDA's libraries may lie in pip's packages
        with contextlib.redirect_stdout(io.StringIO()):
            onnxruntime.preload_dlls()
    chosen: list = [(PROVIDERS[provider], settings)]
    if provider == "TensorRT" and not _absent("CUDA"):
        chosen.append(("CUDAExecutionProvider", {"device_id": gpu}))  # for nodes that TensorRT leaves out
    if provider != "CPU":
        chosen.append("CPUExecutionProvider")
    return onnxruntime.InferenceSession(str(file), options, providers=chosen, enable_fallback=0)


def _absent(provider: str) -> str:
    """Returns what a provider certainly lacks, nothing where it is worth an attempt."""
    if PROVIDERS[provider] not in onnxruntime.get_available_providers():
        return "is not in this ONNX Runtime"
    if provider in ("TensorRT", "CUDA") and sys.platform == "linux":
        return _needs("libcuda.so.1")  # the driver's
    return ""


def _unresolved(provider: str) -> str:
    """Returns which library an NVIDIA provider did not find: ONNX Runtime itself says so to its log alone."""
    if provider in ("TensorRT", "CUDA") and sys.platform == "linux":
        name = f"libonnxruntime_providers_{provider.lower()}.so"
        return _needs(str(Path(onnxruntime.__file__).parent / "capi" / name))
    return ""


def _needs(library: str) -> str:
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return f"needs {_line(error).partition(': cannot open')[0]}" if "cannot open" in str(error) else ""
    return ""


def _cache() -> Path:
    """Returns the folder where TensorRT keeps its engines: building one takes minutes."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "yolo_attn" / "tensorrt"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
