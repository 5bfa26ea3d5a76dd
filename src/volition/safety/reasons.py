"""Why the shield acts: every reason with its meaning and its kind. `Intervention.reason` is always one of these."""

from __future__ import annotations

# Limits: the value is trimmed and the motion goes on.
POSITION = "position"
VELOCITY = "velocity"
ACCELERATION = "acceleration"
JERK = "jerk"
BASE_VELOCITY = "base_velocity"
BASE_ACCELERATION = "base_acceleration"
SELF_COLLISION = "self_collision"
OBSTACLE = "obstacle"
NEAR = "near"
PERSON = "person"
WORKSPACE = "workspace"
EFFORT = "effort"
FORCE = "force"
BALANCE = "balance"
RAMP = "ramp"
UNSURE = "unsure"
BOUNDS = "bounds"

# Refusals: the chunk is not used; what was there before goes on until it is stale.
LATE = "late"
OUT_OF_ORDER = "out_of_order"
REPEATED = "repeated"
FUTURE = "future"
BAD_CHUNK = "bad_chunk"
NOT_APPROVED = "not_approved"

# Faults: the robot's safe action.
NOT_FINITE = "not_finite"
SHAPE = "shape"
STALE = "stale"
MISSING = "missing"
STATE = "state"
ESTOP = "estop"
POLICY = "policy"
SOLVER = "solver"
SIGHT = "sight"
SURROUNDINGS = "surroundings"
CLOCK = "clock"
SHIELD = "shield"

# Oversight: what a person does, and when the policy's doubt slows the robot or asks; no fault is counted.
WAITING = "waiting"
APPROVED = "approved"
PAUSED = "paused"
TAKEN_OVER = "taken_over"
RESUMED = "resumed"
DOUBT = "doubt"
CALM = "calm"

LIMITS: dict[str, str] = {
    POSITION: "The target lies outside the joint's range, or the joint could no longer stop inside it.",
    VELOCITY: "The step to the target is faster than the joint may move.",
    ACCELERATION: "The step to the target changes the joint's velocity faster than allowed.",
    JERK: "The step to the target changes the joint's acceleration faster than allowed.",
    BASE_VELOCITY: "The walking command is faster than the base may move.",
    BASE_ACCELERATION: "The walking command changes faster than the base may change.",
    SELF_COLLISION: "The arm would come too near to the body or to the other arm before it could stop.",
    OBSTACLE: "The arm or the base would come too near to an obstacle before it could stop.",
    NEAR: "The joint or the base is slowed because an obstacle is near.",
    PERSON: "The joint or the base is slowed or stopped because a person is near.",
    WORKSPACE: "The hand would leave the box it may work in.",
    EFFORT: "The joint's measured effort is at its limit and the target would raise it.",
    FORCE: "The hand is pressed harder than allowed and the step does not give way.",
    BALANCE: "The reach or the walking command would bring the centre of mass too near to the edge of the feet.",
    RAMP: "The joint or the base is slowed because the run has just begun.",
    UNSURE: "The joint or the base is slowed because the policy is unsure.",
    BOUNDS: "A value of the chunk lies outside its dimension's bounds and was clipped to them.",
}
REFUSALS: dict[str, str] = {
    LATE: "The chunk was made from an observation that is older than allowed.",
    OUT_OF_ORDER: "The chunk is older than one that was already taken.",
    REPEATED: "The chunk has the stamp of one that was already taken.",
    FUTURE: "The chunk is stamped later than the robot's clock shows.",
    BAD_CHUNK: "The chunk's action space is unknown, its shape is wrong, or a discrete id does not exist.",
    NOT_APPROVED: "The person who was asked said no to the chunk.",
}
FAULTS: dict[str, str] = {
    NOT_FINITE: "A command holds a value that is not a finite number (a chunk that does is refused).",
    SHAPE: "A command has not one value for each commanded joint.",
    STALE: "The command, or the observation behind it, is older than allowed, or dated in the future.",
    MISSING: "There is no command for this tick.",
    STATE: "The robot's measured state is not finite, of the wrong size, or too old.",
    ESTOP: "The emergency stop is pressed; it stays so until it is reset.",
    POLICY: "The policy failed, as the loop reported.",
    SOLVER: "Inverse kinematics or another part of the body found no command.",
    SIGHT: "A camera's pictures are missing, black or do not change.",
    SURROUNDINGS: "What is known of the obstacles is older than allowed.",
    CLOCK: "The clock went back.",
    SHIELD: "The shield itself failed; the stored stop plan is followed.",
}
OVERSIGHT: dict[str, str] = {
    WAITING: "The instruction or a chunk waits for a person's yes; the robot rests.",
    APPROVED: "The person said yes.",
    PAUSED: "A person paused the robot; it rests within its limits and the hands keep their hold.",
    TAKEN_OVER: "A person gives the commands, behind the same shield.",
    RESUMED: "The policy is followed again.",
    DOUBT: "The policy's doubt reached its threshold; the robot is slowed, holds or asks, as it was told to.",
    CALM: "The policy's doubt has fallen; the robot goes on as before.",
}
MEANINGS: dict[str, str] = {**LIMITS, **REFUSALS, **FAULTS, **OVERSIGHT}
