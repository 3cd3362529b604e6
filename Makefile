# Everything that is needed beyond Go, make and git (and gcc for the race
# detector and the tests that read the lake back with DuckDB) comes through Go
# modules. What has to be built for the tests lives in .cache/.

BIN     := bin/syncer
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)

# Nested modules are found, not listed: a new one is tidied, vetted and tested
# from its first commit on. Those below tools/ only pin a tool and hold no code.
MODULES := $(patsubst %/,%,$(dir $(wildcard ./go.mod ./*/go.mod ./tools/*/go.mod)))
CODE    := $(filter-out ./tools/%,$(MODULES))

# The race detector and DuckDB need cgo, which go turns off where it finds no
# C compiler. The modules that read with DuckDB only watch the program from
# outside, which the race detector would not see.
CGO       := $(shell go env CGO_ENABLED)
OUTSIDE   := ./e2e ./bench
INSIDE    := $(filter-out $(OUTSIDE),$(CODE))
TESTFLAGS ?=
GOTEST     = $(strip $(if $(filter 1,$(CGO)),-race) -timeout 30m $(TESTFLAGS))

LINT      := .cache/golangci-lint
VERSITYGW := .cache/versitygw
VULNCHECK := .cache/govulncheck
MINIO     := .cache/minio
K8S       := $(addprefix .cache/k8s/,etcd kube-apiserver kube-controller-manager kube-scheduler)

GOLANGCI  := '$(CURDIR)/$(LINT)'

# each runs a command in the modules of a list. It goes on after a failure and
# fails at the end: one module's trouble must not hide another's.
each = @failed=; for m in $(1); do \
		echo "$(2)"; ($(2)) || failed="$$failed $$m"; \
	done; \
	[ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

.DEFAULT_GOAL := help
.PHONY: help build demo test test-minio test-k8s test-engines release-check test-short crash crash-random backfill bench bench-check bench-night bench-latency bench-commit bench-quota bench-quiet bench-rows bench-files bench-shards lint vulncheck fmt vet tools tidy tidy-check clean ci

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build ./bin/syncer, without cgo
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/syncer

demo: build ## three simulated nights of a bank into ./lake
	./$(BIN) demo

# With the race detector, ten times slower, the tests that go through thousands
# of faults and histories, or hours of virtual time, take a sample; so the
# packages that ask for it (race_on_test.go) are tested without it once more: the
# files of theirs that take samples.
SAMPLED  := $(patsubst %/,./%,$(dir $(wildcard internal/*/race_on_test.go internal/*/*/race_on_test.go)))

test: $(VERSITYGW) ## all tests of all modules, with the race detector where there is cgo
	$(call each,$(INSIDE),go -C $$m test $(GOTEST) ./...)
ifeq ($(CGO),1)
	$(call each,$(OUTSIDE),go -C $$m test -timeout 15m $(TESTFLAGS) ./...)
	go test -timeout 30m $(TESTFLAGS) -run "$$(.ci/sampling $(SAMPLED))" $(SAMPLED)
else
	@echo "not tested without cgo: $(OUTSIDE) (DuckDB needs a C compiler)"
endif

test-minio: $(MINIO) ## the store and the commit protocol against a second S3 server, MinIO (its build takes six minutes and 1.5 GB)
	SYNCER_S3_SERVER=minio go test -count 1 -timeout 15m $(TESTFLAGS) ./internal/sink/bucket/...
	SYNCER_S3_SERVER=minio go test -count 1 -timeout 15m $(TESTFLAGS) -run 'S3|Lies|Liar' ./internal/sink
	$(if $(filter 1,$(CGO)),SYNCER_S3_SERVER=minio go -C e2e test -count 1 -timeout 15m $(TESTFLAGS) -run '^TestNightsOverTLSWithKMS')

# Lakes on a disk that syncs for real take longer, and prove the same: a kill is
# not a power cut.
crash: $(VERSITYGW) ## kill runs at every step, on a folder and on S3, and count what is lost
	$(if $(wildcard /dev/shm/.),TMPDIR=/dev/shm) go -C e2e test -count=1 -timeout 80m -run '^TestARunKilledAtAnyStep' -args -crash

crash-random: $(VERSITYGW) ## the same, with fifteen hundred kills at any time
	$(if $(wildcard /dev/shm/.),TMPDIR=/dev/shm) go -C e2e test -count=1 -timeout 80m -run '^TestARunKilledAtAnyStep' -args -crash-random 1500

# Its tests wait for controllers most of the time: all of them at once.
test-k8s: $(K8S) ## the manifests on a real Kubernetes control plane: half a minute, once that is built (ten minutes)
	go -C k8s test -count 1 -timeout 9m -parallel 64 $(TESTFLAGS) -run '^TestOnAKubernetes' . -args -cluster

ENGINES := .cache/engines

test-engines: build $(ENGINES)/done ## texts and lists read by other engines (Python; Spark where there is Java): three minutes, once 1.5 GB are installed
	./$(BIN) demo --dir $(ENGINES)/lake --users 60
	$(ENGINES)/bin/python e2e/engines/lists.py $(ENGINES)/lake

$(ENGINES)/done: e2e/engines/requirements.txt
	python3 -m venv $(ENGINES)
	$(ENGINES)/bin/pip install --quiet --requirement $<
	touch $@

release-check: ## the image's binary for each platform, its size, and the manifests
	go -C k8s test -count 1 -timeout 15m $(TESTFLAGS) . -args -release

# What is measured by make bench. The quota has its own five minutes, and the
# shards a server of their own.
BENCH    = go -C bench test ./$(1) -run '$(2)' -count=1 -v -timeout 20m -args -$(1)

bench: bench-night bench-latency bench-commit bench-rows ## nights of up to a million users, latency, commits, rows: a quarter of an hour

# Limits that do not depend on the machine, for CI: without the race detector,
# which allocates on its own.
bench-check: ## what a user may cost in memory, and a row in allocations
	go -C bench test ./night ./rows/path -run Check -count=1

bench-night: ## nights of 10,000, 100,000 and 1,000,000 users, and first nights: seven minutes
	$(call BENCH,night,^(TestNight|TestFirstNight)$$)

bench-latency: ## requests a second from an API that takes 50 ms: a minute
	$(call BENCH,latency,^TestLatency$$)

bench-commit: ## what commits, checkpoints and starts cost: two minutes
	$(call BENCH,commit,^TestCommit$$)

bench-quota: ## hidden limits in real time, short runs and second nights, with pacing and without: eight minutes
	go -C bench test ./quota -run '^TestQuota$$' -count=1 -v -timeout 15m -args -quota

bench-quiet: ## requests a user and night, by how users are asked: ten thousand users, fourteen nights, some minutes
	go -C bench test ./quiet -run '^TestQuiet$$' -count=1 -v -timeout 60m -args -quiet

bench-rows: ## JSON bodies to committed Parquet, beside DuckDB and the plainest Go: five minutes
	go -C bench test ./rows -run '^TestRows$$' -count=1 -v -timeout 15m -args -rows

bench-files: ## what a warehouse may leave unread of first nights, by statistics: two minutes
	$(call BENCH,files,^TestFiles$$)

bench-shards: $(VERSITYGW) ## four processes over 2,000 users on S3, and how much faster they are than one
	go -C e2e test -count=1 -timeout 40m -v -run '^TestFour' -args -shards

backfill: ## backfill two years of 500 users beside nightly runs, killed five times, and compare every row
	$(if $(wildcard /dev/shm/.),TMPDIR=/dev/shm) go -C e2e test -count=1 -timeout 40m -v -run '^TestABackfillKilledBesideNightlyRuns' -args -backfill

test-short: ## the product's quick tests only: no S3 server, no DuckDB
	go test -short $(TESTFLAGS) ./...

vet: ## go vet on all modules
	$(call each,$(CODE),go -C $$m vet ./...)

lint: $(LINT) ## golangci-lint on all modules
	$(call each,$(CODE),cd $$m && $(GOLANGCI) run --config '$(CURDIR)/.golangci.yml' ./...)

vulncheck: ## known vulnerabilities in what the binary calls, where their database can be reached
	.ci/vulncheck

fmt: $(LINT) ## format all modules
	$(call each,$(CODE),cd $$m && $(GOLANGCI) fmt --config '$(CURDIR)/.golangci.yml' ./...)

tidy: ## go mod tidy on all modules
	$(call each,$(MODULES),go -C $$m mod tidy)

# Not the modules that pin what only make test-minio and test-k8s build: fetching
# what they need would cost CI minutes. Who changes one runs make tidy.
RARE := ./tools/minio ./tools/kubernetes ./tools/etcd

tidy-check: ## fail where go.mod or go.sum of a module is not tidy
	$(call each,$(filter-out $(RARE),$(MODULES)),go -C $$m mod tidy -diff)

tools: $(LINT) $(VERSITYGW) ## build the linter and the S3 server of the tests into .cache/

ci: ## what CI runs
	.ci/run

clean: ## remove what was built (the tools in .cache/ too)
	rm -rf bin .cache

# A tool's go.mod and go.sum pin it: it is built again when they change.
$(LINT): tools/lint/go.mod tools/lint/go.sum
	go -C tools/lint build -o ../../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@

$(VERSITYGW): tools/s3/go.mod tools/s3/go.sum
	go -C tools/s3 build -o ../../$@ github.com/versity/versitygw/cmd/versitygw
	@touch $@

$(VULNCHECK): tools/vuln/go.mod tools/vuln/go.sum
	go -C tools/vuln build -o ../../$@ golang.org/x/vuln/cmd/govulncheck
	@touch $@

# Not part of tools: only test-minio needs it.
$(MINIO): tools/minio/go.mod tools/minio/go.sum
	go -C tools/minio build -o ../../$@ github.com/minio/minio
	@touch $@

# Only test-k8s needs these.
.cache/k8s/etcd: tools/etcd/go.mod tools/etcd/go.sum
	go -C tools/etcd build -trimpath -ldflags '-s -w' -o ../../$@ go.etcd.io/etcd/server/v3
	@touch $@

# Kubernetes reads its own version from variables that its build fills. Without
# them the servers call themselves v0.0.0-master, and compare versions by that.
K8S_VERSION = $(shell awk '$$1 == "k8s.io/kubernetes" { print $$2 }' tools/kubernetes/go.mod)
K8S_LDFLAGS = -s -w $(foreach p,k8s.io/component-base/version k8s.io/client-go/pkg/version,\
	-X $p.gitVersion=$(K8S_VERSION) \
	-X $p.gitMajor=$(patsubst v%,%,$(word 1,$(subst ., ,$(K8S_VERSION)))) \
	-X $p.gitMinor=$(word 2,$(subst ., ,$(K8S_VERSION))) \
	-X $p.gitTreeState=clean)

.cache/k8s/kube-%: tools/kubernetes/go.mod tools/kubernetes/go.sum
	go -C tools/kubernetes build -trimpath -ldflags '$(K8S_LDFLAGS)' -o ../../$@ k8s.io/kubernetes/cmd/kube-$*
	@touch $@

# The tools are large: never built at once, even under make -j.
.NOTPARALLEL:
