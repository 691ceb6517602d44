"""What an exported file takes on the device that it is for: ONNX Runtime and numpy alone, as of `yolo_attn.live`."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read once, where ONNX Runtime is imported first
