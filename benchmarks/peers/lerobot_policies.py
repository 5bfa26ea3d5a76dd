"""Runs inside the peer environment, which has lerobot and not Volition: a decision of its ACT or its SmolVLA.

python lerobot_policies.py SETTINGS (JSON, by ../latency.py); each line that it is then given is how many decisions to
take. Random weights, built from configurations, so nothing is fetched: SmolVLA's are the sizes of the published one. Only
the policy's own `predict_action_chunk` is timed, on tensors that are ready: no camera, no normalisation, no tokenizer.
"""

import json
import os
import sys
import tempfile
import time
from types import SimpleNamespace

import torch

s = json.loads(sys.argv[1])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: s["threads"]])
torch.set_num_threads(s["threads"])
import without_torchvision  # noqa: E402, F401  # first

# isort: split
from lerobot.configs.types import FeatureType, PolicyFeature  # noqa: E402

torch.manual_seed(0)
names = ["observation.images." + name for name in s["cameras"]]
shape = (3, s["pixels"], s["pixels"])
features = {
    "input_features": {name: PolicyFeature(FeatureType.VISUAL, shape) for name in names}
    | {"observation.state": PolicyFeature(FeatureType.STATE, (s["state"],))},
    "output_features": {"action": PolicyFeature(FeatureType.ACTION, (s["actions"],))},
    "device": "cpu",
    "push_to_hub": False,
}


def act():
    """As it comes: ResNet-18, 512 wide, chunks of 100."""
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.policies.act.modeling_act import ACTPolicy

    return ACTPolicy(ACTConfig(pretrained_backbone_weights=None, **features))


def smolvla():
    """As it comes: half of SmolVLM2-500M, pictures at 512 pixels, chunks of 50 in 10 rounds of flow."""
    from lerobot.policies.smolvla import smolvlm_with_expert
    from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy
    from transformers import SmolVLMConfig

    text = {"model_type": "llama", "hidden_size": 960, "intermediate_size": 2560, "num_hidden_layers": 32}
    text |= {"num_attention_heads": 15, "num_key_value_heads": 5, "head_dim": 64, "vocab_size": 49280}
    vision = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
    vision |= {"image_size": 512, "patch_size": 16}
    # Its tokenizer is asked for two ids when it is built; the words here are tokens already.
    tokenizer = SimpleNamespace(fake_image_token_id=49189, global_image_token_id=49152)
    smolvlm_with_expert.AutoProcessor = SimpleNamespace(from_pretrained=lambda _: SimpleNamespace(tokenizer=tokenizer))
    with tempfile.TemporaryDirectory() as folder:
        SmolVLMConfig(text_config=text, vision_config=vision, scale_factor=4).save_pretrained(folder)
        config = SmolVLAConfig(vlm_model_name=folder, load_vlm_weights=False, max_state_dim=64, **features)
        return SmolVLAPolicy(config)


policy = {"act": act, "smolvla": smolvla}[s["policy"]]().eval()
batch = {name: torch.rand(1, *shape) for name in names} | {"observation.state": torch.randn(1, s["state"])}
batch["observation.language.tokens"] = torch.randint(0, 1000, (1, s["words"]))
batch["observation.language.attention_mask"] = torch.ones(1, s["words"], dtype=torch.bool)


def decide():
    with torch.inference_mode():
        policy.predict_action_chunk(dict(batch))


decide()
count = sum(one.numel() for one in policy.parameters())
print("ready", json.dumps({"parameters": count, "torch": torch.__version__}), flush=True)
for line in sys.stdin:
    wall, work = time.perf_counter(), time.process_time()
    for _ in range(int(line)):
        decide()
    print(json.dumps([time.perf_counter() - wall, time.process_time() - work]), flush=True)
os._exit(0)
