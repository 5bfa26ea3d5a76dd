"""ROS 1 and ROS 2 nodes: topics to types and back, nothing else."""
