# make run    builds Hookgate and runs the Caddyfile here
# make test   checks everything; installs the servers it needs and does not find
# make help   lists the rest

SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-print-directory

# The tags and flags that xcaddy builds with; and the commit, for --version, where
# git can tell it: of sources without their history there is none.
TAGS  := nobadger,nomysql,nopgx
VCS   := $(shell git rev-parse -q --verify HEAD > /dev/null 2>&1 && echo auto || echo false)
FLAGS := -trimpath -buildvcs=$(VCS) -tags $(TAGS)
DATA  := $(CURDIR)/data

# Shows how far a build is: "go build -v" prints a line a package.
PROGRESS := awk '/^[A-Za-z0-9_.\/~-]+$$/ { n++; if (n % 50 == 0) { printf "  %d packages\n", n; fflush() } next } { print; fflush() } END { if (n) printf "  %d packages, done\n", n }'

.PHONY: help
help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## build bin/hookgate and bin/hookgate-consumer
	@echo "building bin/hookgate and bin/hookgate-consumer (the first time takes a few minutes)"
	@CGO_ENABLED=0 go build -v $(FLAGS) -ldflags "-w -s" -o bin/ ./cmd/hookgate ./cmd/hookgate-consumer 2>&1 | $(PROGRESS)

.PHONY: run
run: build ## run the Caddyfile here, with its data in ./data
	@mkdir -p "$(DATA)" || { echo "make run: cannot write $(DATA), where the data goes"; exit 1; }
	@echo "data:   $(DATA)"
	@echo "try it: bin/hookgate simulate http://127.0.0.1:8080/webhooks/genesys/pe-action-map"
	@XDG_DATA_HOME="$(DATA)" XDG_CONFIG_HOME="$(DATA)/config" exec bin/hookgate run --config Caddyfile

# HOOKGATE_TEST_REDIS_URL and HOOKGATE_TEST_AMQP_URL, where they are set, name
# servers that some tests use beside those that they start: see integration/servers.
.PHONY: test
test: servers fmt-check vet lint deps-check unit fuzz ## check everything

# Redis, RabbitMQ and Celery from Debian's packages, as root or with sudo. The
# tests start their own servers; the services of the packages are not started.
.PHONY: servers
servers: ## install the servers that the tests start, where they are missing
	@bash integration/servers/install.sh

.PHONY: tools
tools:
	@go build -C tools -o ../bin/ mvdan.cc/gofumpt honnef.co/go/tools/cmd/staticcheck

.PHONY: fmt
fmt: tools ## format the code
	@bin/gofumpt -w $$(git ls-files -co --exclude-standard '*.go')

.PHONY: fmt-check
fmt-check: tools
	@echo "format"
	@out=$$(find . -name '*.go' -not -path './data/*' -not -path './bin/*' | xargs bin/gofumpt -l); \
	  if [ -n "$$out" ]; then echo "not formatted, run make fmt:"; echo "$$out"; exit 1; fi

.PHONY: vet
vet:
	@echo "vet"
	@go vet -tags $(TAGS) ./...

.PHONY: lint
lint: tools
	@echo "staticcheck"
	@bin/staticcheck -tags $(TAGS) ./...

.PHONY: deps-check
deps-check:
	@echo "dependencies"
	@go mod verify
	@go mod tidy -diff
	@cd tools && go vet ./... && go test ./...

# A test that is skipped has shown nothing: it fails the run. Nor is a result of
# before taken again: many tests build the programs, of which the cache of go test
# knows nothing.
.PHONY: unit
unit: servers
	@echo "tests, with the race detector: some ten minutes"
	@mkdir -p bin
	@go test -race -count 1 -tags $(TAGS) -timeout 20m -v ./... 2>&1 | tee bin/test.log | { grep --line-buffered -E '^(ok|FAIL)\s' || true; } \
	  || { grep -E '^(# |panic:|\s*--- FAIL)|\.go:[0-9]+:[0-9]+: |_test\.go:[0-9]+:|DATA RACE' bin/test.log | tail -n 200; echo "the whole log is in bin/test.log"; exit 1; }
	@if grep -E '^\s*--- SKIP' bin/test.log; then echo "skipped tests show nothing"; exit 1; fi
	@awk '/^ *--- PASS/ { p++ } END { printf "%d passed, 0 failed\n", p }' bin/test.log

# The servers are those of another Debian, in a folder of bin: RabbitMQ 4, Redis 8
# and PostgreSQL 17 of trixie, or what is in sid. Programs are started in it by
# chroot, which takes root.
DEBIAN := trixie
.PHONY: test-newer
test-newer: servers ## the tests, on newer servers: RabbitMQ 4 and Redis 8 of DEBIAN=trixie, or sid; as root
	@bash integration/servers/newer.sh $(DEBIAN) bin/$(DEBIAN)
	@HOOKGATE_TEST_ROOT="$(CURDIR)/bin/$(DEBIAN)" $(MAKE) unit

# What reads bytes that others write. An input that fails is kept in testdata/fuzz
# beside the test, and is a seed from then on. The first run compiles everything
# with instruments, which takes a few minutes; the next ones take a minute. It is a
# number of runs and not a time: at the end of a time go test may fail without any
# failing input, up to Go 1.26 (https://go.dev/issue/75804).
FUZZTIME := 3000x
.PHONY: fuzz
fuzz: ## fuzz what reads foreign bytes, FUZZTIME=3000x each
	@echo "fuzz tests, $(FUZZTIME) each"
	@mkdir -p bin && : > bin/fuzz.log
	@grep -rE --include='*_test.go' --exclude-dir=data --exclude-dir=bin '^func Fuzz' . \
	  | sed -E 's|^(.*)/[^/]+:func (Fuzz[A-Za-z0-9]+).*|\1 \2|' | sort \
	  | while read -r dir name; do \
	      go test -tags $(TAGS) -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1000x "$$dir" > bin/fuzz.one 2>&1 < /dev/null \
	        || { tail -n 40 bin/fuzz.one; exit 1; }; \
	      awk -v name="$$name" -v dir="$$dir" '/execs:/ { sub(/.*execs: /, ""); sub(/ .*/, ""); n = $$0 " runs" } END { printf "%-36s %-20s %s\n", name, dir, n == "" ? "its seeds alone: give it more FUZZTIME" : n }' bin/fuzz.one; \
	      cat bin/fuzz.one >> bin/fuzz.log; \
	    done

.PHONY: faults
faults: servers ## take servers and processes down under load, and print what was lost: about ten minutes
	@go test -tags $(TAGS) -timeout 90m -count 1 -v ./integration/faults -args -all $(ARGS)

.PHONY: bench
bench: servers build ## measure the edge against bare Caddy; flags in ARGS, such as ARGS=-help
	@CGO_ENABLED=0 go build -v $(FLAGS) -ldflags "-w -s" -o bin/bench-bare ./bench/bare 2>&1 | $(PROGRESS)
	@CGO_ENABLED=0 go build -v $(FLAGS) -ldflags "-w -s" -o bin/bench-core ./bench/core 2>&1 | $(PROGRESS)
	@CGO_ENABLED=0 go build $(FLAGS) -o bin/bench-edge ./bench/edge
	@bin/bench-edge -dir bin $(ARGS)

.PHONY: bench-micro
bench-micro: ## measure the parts: stores, the reading of a body, a request's way through the handlers
	@go test -run '^$$' -bench . -benchtime 5s ./plugins/... ./contract ./caddymodule

.PHONY: clean
clean: ## remove what was built; keeps ./data
	@rm -rf bin
