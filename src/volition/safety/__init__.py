"""The shield: the last pure function before the robot, in simulation too. numpy and MuJoCo only."""
