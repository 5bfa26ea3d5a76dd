"""How ROS 2 talks on this machine: who can hear it, and room for pictures in shared memory. Set before rclpy starts.

Without it, pictures of 640x480 at 30 Hz arrive at 15 to 19 Hz (the default shared memory is too small for them), and
everything on the network can command the robot. Settings that are there already are left as they are.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path

from volition.cache import cache_dir

RANGE, PROFILE = "ROS_AUTOMATIC_DISCOVERY_RANGE", "FASTDDS_DEFAULT_PROFILES_FILE"
_OLD_PROFILE = "FASTRTPS_DEFAULT_PROFILES_FILE"
_HERE = "<interfaceWhiteList><address>127.0.0.1</address></interfaceWhiteList>"
# type_propagation: off, DDS of other makers (Cyclone) understands our announcements.
_XML = """<?xml version="1.0" encoding="UTF-8"?>
<profiles xmlns="http://www.eprosima.com">
  <transport_descriptors>
    <transport_descriptor>
      <transport_id>memory</transport_id><type>SHM</type>
      <segment_size>33554432</segment_size><maxMessageSize>8388608</maxMessageSize>
    </transport_descriptor>
    <transport_descriptor>
      <transport_id>network</transport_id><type>UDPv4</type>
      <sendBufferSize>8388608</sendBufferSize><receiveBufferSize>8388608</receiveBufferSize>{whitelist}
    </transport_descriptor>
  </transport_descriptors>
  <participant profile_name="volition" is_default_profile="true">
    <rtps>
      <userTransports><transport_id>memory</transport_id><transport_id>network</transport_id></userTransports>
      <useBuiltinTransports>false</useBuiltinTransports>
      <propertiesPolicy><properties><property>
        <name>fastdds.type_propagation</name><value>disabled</value>
      </property></properties></propertiesPolicy>
    </rtps>
  </participant>
</profiles>
"""


def prepare(environment: MutableMapping[str, str]) -> None:
    """Fill in what the environment leaves open: LOCALHOST, and a profile of Fast DDS for it."""
    reach = environment.setdefault(RANGE, "LOCALHOST")
    if PROFILE in environment or _OLD_PROFILE in environment:
        return
    path = cache_dir() / "ros" / f"fastdds-{'here' if reach == 'LOCALHOST' else 'network'}.xml"
    environment[PROFILE] = str(_written(path, _XML.format(whitelist=_HERE if reach == "LOCALHOST" else "")))


def _written(path: Path, text: str) -> Path:
    """Whole or not at all, as several nodes may start at once."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{id(text):x}.part")
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    return path
