"""Run one analysis: owns the onnxruntime sessions (hash check, provider order, warm-up) and nothing clinical."""

from agatha.infer.analysis import run_analysis
from agatha.infer.model_runtime import ModelRuntime, ModelUnusable

__all__ = ["ModelRuntime", "ModelUnusable", "run_analysis"]
