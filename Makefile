# make demo: draws the people on the pictures of examples/.   make test: style checks and all tests.
# Both set up .venv first, with the versions of constraints.txt and a CPU build of torch.
# With an NVIDIA GPU: make demo TORCH=cuda

PYTHON ?= python3
VENV ?= .venv
TORCH ?= cpu
PINS = setup.cfg constraints.txt tools/make_venv.sh tools/install_torch.sh

.PHONY: demo test clean

demo: $(VENV)/installed-$(TORCH)
	$(VENV)/bin/python infer.py examples --out results/demo --draw
	@echo "The pictures with the people drawn in are in results/demo/drawn"

test: $(VENV)/installed-$(TORCH)-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/python -m pytest -n auto --maxprocesses 4 --dist worksteal

$(VENV)/installed-$(TORCH): $(PINS)
	sh tools/make_venv.sh $(VENV) $(PYTHON) $(TORCH)
	@touch $@

$(VENV)/installed-$(TORCH)-dev: $(PINS)
	sh tools/make_venv.sh $(VENV) $(PYTHON) $(TORCH) "[train,dev]"
	@touch $@ $(VENV)/installed-$(TORCH)

clean:
	rm -rf $(VENV) results/demo
