# Longhaul's workshop. CI runs the same targets: see .ci/run.
.DEFAULT_GOAL := help
SHELL := /bin/bash

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
# grpcnotrace keeps the linker's dead-code elimination working (minus 11 MB).
TAGS    := grpcnotrace
LDFLAGS := -s -w -X github.com/longhaul/longhaul/pkg/app.version=$(VERSION)
TOOLS   := $(CURDIR)/.cache/tools
LINT    := $(TOOLS)/golangci-lint
LINT_VERSION := v2.15.0

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: dev
dev: build-longhaul ## Run API, worker and Redis in one process, with lines to paste
	@command -v python3 >/dev/null || echo "python3 is missing: the example engines need it (apt-get install python3)"
	@bin/longhaul dev

.PHONY: build
build: build-api build-worker build-longhaul ## Build bin/api, bin/worker and bin/longhaul

build-%:
	@CGO_ENABLED=0 go build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/$* ./cmd/$*

.PHONY: monitoring
monitoring: ## Build bin/monitoring, Asynq's dashboard for operators (a module of its own)
	@cd monitoring && CGO_ENABLED=0 go build -trimpath -tags $(TAGS) -ldflags '-s -w -X main.version=$(VERSION)' -o ../bin/monitoring .

# Many tests wait for most of their time: more of a package's run at once than there are cores.
TESTS_AT_ONCE ?= 4

.PHONY: test
test: redis python chromium ## Run every test, those within a process with the race detector (PKGS=./pkg/...: some of them)
	@$(call loud,docker info,the tests on containers: Docker does not answer)
	@$(call loud,command -v redis-server,all tests on Redis: redis-server is missing (apt-get install redis-server))
	@$(call loud,command -v python3,the tests of the Python examples and of sdk/python: python3 is missing (apt-get install python3))
	@$(call loud,command -v node,the tests of the Node example, of the guide and of sdk/typescript: node is missing (apt-get install nodejs))
	@$(call loud,command -v chromium,the tests of the console in a browser: chromium is missing (apt-get install chromium))
	@$(call loud,command -v npm,the types and the accessibility of the console, and sdk/typescript: npm is missing (apt-get install npm))
	@$(call loud,command -v promtool,Prometheus' own check of its alerts: promtool is missing (apt-get install prometheus))
	@echo "not run here: the single faults (make faults), but for three quick ones at most"
	@mkdir -p .cache && go list -tags $(TAGS) $(or $(PKGS),./...) >.cache/packages
	grep -v /longhaul/test/ .cache/packages | xargs -r go test -race -tags $(TAGS) -parallel $(TESTS_AT_ONCE) -timeout 20m
	@# What test/ tries are programs as they are shipped, where the detector sees nothing. Containers come last:
	@# they change the machine's networks, at which a browser drops all its lines.
	grep /longhaul/test/ .cache/packages | grep -v /container | xargs -r go test -tags $(TAGS) -parallel $(TESTS_AT_ONCE) -timeout 20m
	grep /longhaul/test/container .cache/packages | xargs -r go test -tags $(TAGS) -parallel $(TESTS_AT_ONCE) -timeout 20m
	@if command -v python3 >/dev/null; then for d in . voice-of-customer agent; do \
	  (cd examples/$$d && python3 -m unittest discover -q -s tests) || exit 1; done; fi

.PHONY: sdk-types
sdk-types: ## Make the types of sdk/typescript anew from api/openapi.yaml
	cd sdk/typescript && npm ci --ignore-scripts --no-audit --no-fund && npm run types

.PHONY: console-types
console-types: ## Check the console's scripts against types made from the OpenAPI document
	go test -tags $(TAGS) -count 1 -run 'TypeCheck|TheScriptsAgree' ./test/console

.PHONY: console-picture
console-picture: ## Take the pictures of the console in docs/ anew
	LONGHAUL_SCREENSHOTS=$(CURDIR)/.cache/screenshots go test -tags $(TAGS) -count 1 -run '^(TestTheListShowsWhatThereIsAndFollowsIt|TestThePageOfOneExecutionIsForEverybody)$$' ./test/console
	cp .cache/screenshots/TestTheListShowsWhatThereIsAndFollowsIt-executions-wide-light.png docs/console.png
	cp .cache/screenshots/TestThePageOfOneExecutionIsForEverybody-failed-wide-light.png docs/execution.png

.PHONY: images
images: ## Build the images longhaul-api, longhaul-worker and longhaul-monitoring with Docker
	@bash test/container/standin/images.sh base
	docker build -f Dockerfile.api -t longhaul-api --build-arg VERSION=$(VERSION) .
	docker build -f Dockerfile.worker -t longhaul-worker --build-arg VERSION=$(VERSION) \
	  --build-arg REQUIREMENTS=$$(bash test/container/standin/images.sh requirements) .
	docker build -f Dockerfile.monitoring -t longhaul-monitoring --build-arg VERSION=$(VERSION) .

.PHONY: compose-test
compose-test: images ## Start docker-compose.yml and try it: main job, a dead worker, a roll of the API, more workers
	@bash test/container/standin/images.sh compose
	LONGHAUL_COMPOSE=1 LONGHAUL_REQUIRE_DOCKER=1 go test -tags $(TAGS) -count 1 -v -timeout 15m -run '^TestCompose' ./test/container

.PHONY: test-manifests
test-manifests: ## Check deploy/kubernetes against Kubernetes' own types (a module of its own)
	cd test/kubernetes && go test ./...

.PHONY: test-monitoring
test-monitoring: redis chromium ## Test the dashboard in a real browser, on a real system (a module of its own)
	@$(call loud,command -v chromium,the tests of the dashboard in a browser: chromium is missing (apt-get install chromium))
	cd monitoring && go test -tags $(TAGS) -timeout 10m .

# Most of each fault's test is waiting, so two cores bear many at once. Built as make build does,
# and run in its own folder, where go test does not hide what tells of skips.
FAULTS_AT_ONCE ?= 8

.PHONY: faults
faults: redis ## Cause every fault, one by one, and check the whole history (FAULTS=long: outages of minutes too; RUN=name)
	cd test/faults && CGO_ENABLED=0 LONGHAUL_FAULTS=$(or $(FAULTS),1) go test -trimpath -tags $(TAGS) -count 1 -parallel $(FAULTS_AT_ONCE) -timeout 40m $(if $(RUN),-run '$(RUN)')

.PHONY: chaos
chaos: redis ## Mix all faults at random (DURATION=60s SEED=...) and check the whole history
	LONGHAUL_CHAOS=1 DURATION=$(or $(DURATION),60s) SEED=$(SEED) go test -tags $(TAGS) -count 1 -v -timeout 0 -run '^TestChaos$$' ./test/faults

.PHONY: lint
lint: $(LINT) ## Check format, style, and who may import whom
	@test -z "$$(gofmt -l cmd pkg test bench monitoring)" || { echo "not formatted (make fmt):"; gofmt -l cmd pkg test bench monitoring; exit 1; }
	@go mod verify >/dev/null
	$(LINT) run ./...
	cd monitoring && $(LINT) run ./...

.PHONY: fmt
fmt: $(LINT) ## Format the Go code
	$(LINT) fmt ./...

BENCH := go run -tags $(TAGS) ./bench/cmd/bench

.PHONY: bench
bench: redis ## Measure against the limits of the machine and plain Asynq, in alternation (3 minutes)
	$(BENCH) run enqueue short pickup log live fanout-1000 idle footprint --peers asynq

.PHONY: bench-peers
bench-peers: redis python ## Measure against FastAPI, Celery, RQ, BullMQ, Asynq, Mercure, and judge every goal (15 minutes; installs them)
	$(BENCH) peers

.PHONY: bench-smoke
bench-smoke: redis ## Check what must hold on every machine: nothing lost, memory bounded, Redis left alone (20 seconds)
	@$(BENCH) smoke

.PHONY: fuzz
fuzz: ## Fuzz each fuzz target for a while (FUZZTIME=30s)
	@for p in $$(go list ./...); do for f in $$(go test -tags $(TAGS) -list '^Fuzz' $$p 2>/dev/null | grep ^Fuzz); do \
	  echo "$$p $$f"; go test -tags $(TAGS) -run '^$$' -fuzz "^$$f$$" -fuzztime $(or $(FUZZTIME),30s) $$p || exit 1; done; done

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin .cache

$(LINT):
	@echo "installing golangci-lint $(LINT_VERSION), which takes some minutes the first time"
	@GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

# go test hides the reasons of skips; what is going to be skipped is said here.
loud = $(1) >/dev/null 2>&1 || echo "SKIPPED, NOT PASSED: $(2)"

# Installs a Debian package for the tests where it is missing and we may.
define need
	@command -v $(1) >/dev/null || { if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing $(2)"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(2) >/dev/null; \
	  else echo "$(1) is missing: apt-get install $(2)"; fi; }
endef

.PHONY: redis
redis:
	$(call need,redis-server,redis-server)

.PHONY: python
python:
	$(call need,python3,python3)

.PHONY: chromium
chromium:
	$(call need,chromium,chromium)
