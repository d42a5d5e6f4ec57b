# Vedetta. `make` alone lists the targets.
SHELL := /bin/bash
GO    ?= go
T     ?= 20s
DATA  ?= run
PORT  ?= 7700

.PHONY: help build run demo test check race fuzz vet clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "make %-11s %s\n", $$1, $$2}'

build: ## build the four programs into bin/
	@mkdir -p bin
	$(GO) build -o bin/ ./node/vedetta-node ./central/vedetta-central ./ops/vedettactl

run: build ## build and start the whole product on this machine, stop with Ctrl-C
	@bin/vedettactl local up --data $(DATA) --base-port $(PORT)

demo: build ## send an alarm to what `make run` started and follow it to the outcome
	@bin/vedettactl local demo --data $(DATA)

test: browser check ## all tests, real processes too
	$(GO) test -timeout 15m ./...

# The portal's pages are looked at in Chromium; where it can't be installed the
# test says so, and fails in CI.
.PHONY: browser
browser:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
	  echo "chromium is not installed and can't be: the browser test will be skipped"

check: ## format, vet, lint, layout, short tests
	@out=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); test -z "$$out" || { echo "gofmt wants: $$out"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

ROUNDS ?= 5
ONLY   ?=
.PHONY: bench
bench: build ## speed and size beside a plain echo server, two to three minutes; ONLY=long ROUNDS=3
	$(GO) build -o bin/ ./bench/vedetta-bench
	@bin/vedetta-bench --commit "$$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)" --rounds $(ROUNDS) --only '$(ONLY)' $(BENCH)

.PHONY: flood
flood: build ## known panels among strangers, and thousands of connections on one node, three to four minutes
	$(GO) build -o bin/ ./bench/vedetta-bench
	@bin/vedetta-bench hold
	@bin/vedetta-bench flood

SEED ?= 0
.PHONY: chaos-short
chaos-short: build ## 20,000 alarms while nodes are killed and held, judged from outside, under five minutes; SEED=
	$(GO) build -o bin/ ./bench/vedetta-bench
	@bin/vedetta-bench chaos --short --seed $(SEED)

SEEDS ?= 2000
.PHONY: sim
sim: ## many seeds through the simulated mesh, some 30 a second; SEEDS=2000, or one: SEED=
	$(GO) test ./bench/sim -run TestSeeds -count=1 -timeout 60m -v -args -seeds $(SEEDS) -seed $(SEED)

race: ## short tests under the race detector
	$(GO) test -race -short -timeout 20m ./...

fuzz: ## every fuzz target for T (20s each)
	@grep -rho --include='*_test.go' -H '^func Fuzz[A-Za-z0-9_]*' . | sed 's|/[^/]*:func | |' | sort | while read -r p f; do \
	  echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(T) $$p </dev/null || exit 1; done

.PHONY: fuzz-short
fuzz-short: ## every fuzz target 2,000 times, a minute or two in all; CI runs it
	@$(MAKE) --no-print-directory fuzz T=2000x

clean: ## remove what was built and the local data
	rm -rf bin $(DATA)
