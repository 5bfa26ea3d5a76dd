"""Policies that leave torch's Python behind: TorchScript, torch.export and ONNX folders, each checked against the original."""
