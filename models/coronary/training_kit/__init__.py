"""What the training folders of the five families share: cases, warps, schedules, averages, checkpoints, ONNX files."""
