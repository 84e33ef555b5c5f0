# make demo    a tour in a private namespace, no root needed
# make test    the tests, the same way in every run; JOBS=N: so many at once; TESTS="tests/pure -x":
#              these, whichever they are, with such options of pytest
# make test-programs  the tests that need programs of others: etcd, keepalived, networkd, DHCP clients
# make test-long      the tests that take long: kills, soaks, hundreds of random worlds
# make explore the property tests with other examples, for five minutes;
#              EXPLORE="--seconds 60 --seed 7" or "--only WORDS"; "--inputs 1000000": random inputs
# make traffic the hosts that reach an alias, as a table; TRAFFIC=--write: into docs/traffic.md
# make test-kernels  the tests in other kernels, booted by qemu; KERNELS="6.1" SUITES="contract kinds"
#              and LIMIT=SECONDS choose (docs/kernels.md); SUITES=root: all of tests/root
# make deb     the package of Debian, built in a root of Debian 12 of its own, into .packages
# make test-deb  the same package installed, upgraded, removed and purged in roots of Debian 12 and 13
# make test-ansible  the module of Ansible, by an ansible-core that is installed beside
# make soak    random changes around a watcher, five minutes of them; SOAK="--seconds 60 --seed 7";
#              "--kills 500": commands that are killed instead; "--lending 300": addresses of pools;
#              "--tunnel 300": a tunnel over a bad network
# make cluster-demo  floating addresses: etcd and five hosts in namespaces, one of which is killed;
#              CLUSTER="--count 50"
# make cluster-test  all faults, and what was seen on the network meanwhile: half an hour;
#              CLUSTER="--only drained", "--write": into docs/cluster-faults.md
# make cluster-peers  the same faults, done to keepalived
# make cluster-scale  fifty agents with 10 000 addresses in one process, on a real etcd: ten minutes
# make lint    ruff and mypy --strict
# make bench   figures into docs/performance.md; BENCH="--only PART", --quick, --all, --no-write
# make clean   remove what was built

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := setup.cfg pyproject.toml README.md tools/netalias tools/netalias-ifconfig docs/netalias.7 docs/netalias.8 \
	docs/netalias-ifconfig.8 docs/netalias.conf.5 \
	$(shell find netalias procfs -name '*.py' -o -name '*.json')

.PHONY: demo test test-long test-programs test-pythons explore test-kernels deb test-deb test-ansible traffic soak cluster-demo cluster-test cluster-peers cluster-scale lint bench clean

# Twice as many as processors: many tests wait for something.
JOBS ?= $(shell echo $$(($$(nproc) * 2)))
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# The product is installed as a user would have it, and tested so. A tour needs no more. It is built
# while that is installed which it needs.
$(VENV)/.built: $(SOURCES)
	@rm -rf build netalias.egg-info
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@mkdir -p $(VENV)/wheels && sed -n '/^install_requires/,/^$$/s/^    //p' setup.cfg >$(VENV)/required
	$(PIP) -r $(VENV)/required & \
	$(BIN)/python -m pip --disable-pip-version-check wheel --quiet --no-deps --wheel-dir $(VENV)/wheels . \
	&& wait $$! && $(PIP) --force-reinstall --no-deps $(VENV)/wheels/netalias-*.whl
	@rm -rf build netalias.egg-info $(VENV)/wheels
	@touch $@

# An extra of what is installed already: it is not built again.
$(VENV)/.tools: setup.cfg | $(VENV)/.built
	$(PIP) 'netalias[test]'
	@touch $@

$(VENV)/.linters: $(VENV)/.tools
	$(PIP) 'netalias[lint]'
	@touch $@

demo: $(VENV)/.built
	@tools/in-namespace $(BIN)/python tools/demo.py

# A folder of its own for temporary files: root of a user namespace may not use that of real root. It
# is in memory, where no other process makes a test wait for the disk.
# Hashes are fixed too: every run is the same. Each of the processes has a /run of its own. All store
# and share the code that pytest makes of the tests, whatever is usual on this machine.
IN_MEMORY := 'test -z "$$NETALIAS_NAMESPACE" || mount -t tmpfs -o mode=1777 tmpfs "$$TMPDIR"; exec "$$@"' sh

define tested
@scratch=$$(mktemp -d) && chmod 1777 "$$scratch" && status=0 && \
TMPDIR=$$scratch PYTEST_DEBUG_TEMPROOT=$$scratch PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE= $(1) \
tools/in-namespace sh -c $(IN_MEMORY) $(BIN)/pytest \
--dist worksteal --tx '$(JOBS)*popen//python=tools/in-namespace $(BIN)/python' $(2) || status=$$?; \
rm -rf "$$scratch"; exit $$status
endef

test: $(VENV)/.built $(VENV)/.tools test-pythons
	@echo 'Others: make test-programs; make test-long; on other kernels: make test-kernels KERNELS="6.1" SUITES="contract kinds"'
	$(call tested,$(if $(TESTS),,NETALIAS_ONE_IN=8),$(or $(TESTS),-m "not programs and not long"))

# Only the files that have such tests are loaded.
with = $(shell grep -lrE --include='test_*.py' '$(1)' tests)

test-programs: $(VENV)/.built $(VENV)/.tools
	$(call tested,,-m programs tests/programs $(call with,mark.programs))

# All examples of the property tests, too.
test-long: $(VENV)/.built $(VENV)/.tools
	$(call tested,,-m "long or dice" $(call with,mark.long|shortened|hypothesis))

explore: $(VENV)/.built $(VENV)/.tools
	@tools/in-namespace $(BIN)/python tools/explore.py $(EXPLORE)

test-pythons: $(VENV)/.built $(VENV)/.tools
	@tools/test-pythons $(BIN)/python tests/pure tests/wire

traffic: $(VENV)/.built $(VENV)/.tools
	@tools/in-namespace $(BIN)/python tests/traffic $(TRAFFIC)

test-kernels: $(VENV)/.built $(VENV)/.tools
	@$(BIN)/python tools/kernels --kernels "$(KERNELS)" --suites "$(SUITES)" $(if $(LIMIT),--seconds $(LIMIT))

deb:
	@tools/make-deb .packages

test-deb: $(VENV)/.built $(VENV)/.tools
	@NETALIAS_DEB=1 $(BIN)/pytest -p no:xdist tests/packages

# In an environment of its own. Where it cannot be had, the tests are skipped.
.venvs/ansible/bin/ansible-playbook:
	@$(PYTHON) -m venv .venvs/ansible
	-@.venvs/ansible/bin/python -m pip --disable-pip-version-check install --quiet ansible-core

test-ansible: $(VENV)/.built $(VENV)/.tools .venvs/ansible/bin/ansible-playbook
	@NETALIAS_ANSIBLE=$(CURDIR)/.venvs/ansible/bin/ansible-playbook \
	tools/in-namespace $(BIN)/pytest -p no:xdist tests/root/test_ansible.py

soak: $(VENV)/.built $(VENV)/.tools
	@tools/in-namespace $(BIN)/python tools/soak.py $(SOAK)

# The engine, and what else is not installed here, comes unpacked from Debian's archive.
PROGRAMS ?= $(or $(NETALIAS_PROGRAMS),$(CURDIR)/.programs)

CLUSTERED = $(BIN)/python tools/cluster/programs.py $(PROGRAMS) \
	&& NETALIAS_PROGRAMS=$(PROGRAMS) tools/in-namespace $(BIN)/python tools/cluster

cluster-demo: $(VENV)/.built $(VENV)/.tools
	@$(CLUSTERED) demo $(CLUSTER)

cluster-test: $(VENV)/.built $(VENV)/.tools
	@$(CLUSTERED) test $(CLUSTER)

cluster-peers: $(VENV)/.built $(VENV)/.tools
	@$(CLUSTERED) peers $(CLUSTER)

cluster-scale: $(VENV)/.built $(VENV)/.tools
	@$(CLUSTERED) scale $(CLUSTER)

lint: $(VENV)/.built $(VENV)/.linters
	$(BIN)/ruff check --config .ci/ruff.toml .
	$(BIN)/mypy
	MYPYPATH=tools/bench:tests $(BIN)/mypy tools/bench/*.py
	MYPYPATH=tools/cluster:tools/kernels:tests:tests/root $(BIN)/mypy tools/cluster/*.py

bench: $(VENV)/.built
	@$(BIN)/python tools/bench $(BENCH)

clean:
	rm -rf $(VENV) .venvs .kernels .packages .programs build netalias.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
