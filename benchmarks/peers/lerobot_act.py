"""Runs inside the peer environment, which has lerobot and not Volition: its ACT, trained as its own script does.

python lerobot_act.py SETTINGS (JSON, by ../training.py); each line that it is then given is how many steps to take.
"""

import json
import os
import sys
import time

import torch

s = json.loads(sys.argv[1])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: s["threads"]])
torch.set_num_threads(s["threads"])
import without_torchvision  # noqa: E402, F401  # first

# isort: split
from accelerate import Accelerator  # noqa: E402
from lerobot.configs.types import FeatureType, PolicyFeature  # noqa: E402
from lerobot.datasets.lerobot_dataset import LeRobotDataset  # noqa: E402
from lerobot.policies.act.configuration_act import ACTConfig  # noqa: E402
from lerobot.policies.act.modeling_act import ACTPolicy  # noqa: E402
from lerobot.policies.act.processor_act import make_act_pre_post_processors  # noqa: E402
from lerobot.scripts.lerobot_train import update_policy  # noqa: E402
from lerobot.utils.logging_utils import AverageMeter, MetricsTracker  # noqa: E402

torch.manual_seed(0)
names = ["observation.images." + name for name in s["cameras"]]
shape = (3, s["pixels"], s["pixels"])
config = ACTConfig(
    device="cpu",
    push_to_hub=False,
    pretrained_backbone_weights=None,
    chunk_size=s["chunk"],
    n_action_steps=s["chunk"],
    input_features={name: PolicyFeature(FeatureType.VISUAL, shape) for name in names}
    | {"observation.state": PolicyFeature(FeatureType.STATE, (s["state"],))},
    output_features={"action": PolicyFeature(FeatureType.ACTION, (s["actions"],))},
    dim_model=s["width"],
    n_heads=s["heads"],
    dim_feedforward=4 * s["width"],
    n_encoder_layers=s["layers"],
    n_decoder_layers=s["layers"],
    use_vae=s["vae"] > 0,
    n_vae_encoder_layers=max(s["vae"], 1),
    dropout=0.0,
    feedforward_activation="gelu",
    pre_norm=True,
)
accelerator = Accelerator(mixed_precision="bf16" if s["precision"] == "bf16" else "no", cpu=True)
policy, preset = ACTPolicy(config), config.get_optimizer_preset()
policy, optimizer = accelerator.prepare(policy, preset.build(policy.get_optim_params()))
meters = {name: AverageMeter(name) for name in ("loss", "grad_norm", "lr", "update_s")}
tracker = MetricsTracker(s["batch"], 1, 1, meters, accelerator=accelerator)


def batches():
    b, k = s["batch"], s["chunk"]
    batch = {name: torch.randn(b, *shape) for name in names} | {"observation.state": torch.randn(b, s["state"])}
    batch |= {"action": torch.randn(b, k, s["actions"]), "action_is_pad": torch.zeros(b, k, dtype=torch.bool)}
    while not s["data"]:
        yield batch
    steps = {"action": [i / s["fps"] for i in range(k)]}
    data = LeRobotDataset("bench/training", root=s["data"], delta_timestamps=steps, video_backend="torchcodec")
    normalise, _ = make_act_pre_post_processors(config, dataset_stats=data.meta.stats)
    workers = 0 if s["threads"] == 1 else s["threads"]
    loader = torch.utils.data.DataLoader(data, batch_size=b, shuffle=True, num_workers=workers, drop_last=True)
    while True:
        for batch in loader:
            yield normalise(batch)


given = batches()


def step():
    update_policy(tracker, policy, next(given), optimizer, preset.grad_clip_norm, accelerator=accelerator)


step()
count = sum(one.numel() for one in policy.parameters() if one.requires_grad)
print("ready", json.dumps({"parameters": count, "torch": torch.__version__}), flush=True)
for line in sys.stdin:
    wall, work = time.perf_counter(), time.process_time()
    for _ in range(int(line)):
        step()
    print(json.dumps([time.perf_counter() - wall, time.process_time() - work]), flush=True)
os._exit(0)
