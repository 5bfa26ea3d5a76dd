"""An independent reader of our commands: Cyclone DDS, which shares no code with rclpy or Fast DDS.

python peer_cyclone.py TOPIC COUNT: prints the last of so many JointState messages and how many a second came, as JSON
"""

import json
import os
import sys
import time
from dataclasses import dataclass

os.environ["CYCLONEDDS_URI"] = (
    "<CycloneDDS><Domain><General><Interfaces><NetworkInterface address='127.0.0.1'/></Interfaces>"
    "<AllowMulticast>false</AllowMulticast></General><Discovery><ParticipantIndex>auto</ParticipantIndex>"
    "<Peers><Peer address='127.0.0.1'/></Peers></Discovery></Domain></CycloneDDS>"
)

from cyclonedds.core import Policy, Qos
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import float64, int32, sequence, uint32
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration


@dataclass
class Time(IdlStruct, typename="builtin_interfaces::msg::dds_::Time_"):
    sec: int32
    nanosec: uint32


@dataclass
class Header(IdlStruct, typename="std_msgs::msg::dds_::Header_"):
    stamp: Time
    frame_id: str


@dataclass
class JointState(IdlStruct, typename="sensor_msgs::msg::dds_::JointState_"):
    header: Header
    name: sequence[str]
    position: sequence[float64]
    velocity: sequence[float64]
    effort: sequence[float64]


def main(topic: str, count: int) -> None:
    participant = DomainParticipant(int(os.environ.get("ROS_DOMAIN_ID", "0")))
    qos = Qos(
        Policy.Reliability.Reliable(duration(seconds=1)),
        Policy.History.KeepLast(1),
        Policy.DataRepresentation(use_cdrv0_representation=True),
    )
    reader = DataReader(participant, Topic(participant, "rt" + topic, JointState, qos=qos), qos=qos)
    stamps, last = [], None
    end = time.monotonic() + 60
    while len(stamps) < count and time.monotonic() < end:
        for last in reader.take(N=10):
            stamps.append(last.header.stamp.sec + last.header.stamp.nanosec * 1e-9)
        time.sleep(0.002)
    rate = (len(stamps) - 1) / (stamps[-1] - stamps[0]) if len(stamps) > 1 else 0.0
    found = {"count": len(stamps), "rate": rate, "name": last and last.name, "position": last and last.position}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
