"""The lower brain at 50 Hz: actions to joint targets (arms by inverse kinematics, hands by grasp scalars), base velocity to balanced steps."""
