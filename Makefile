# make check   what every change must pass: format, vet, staticcheck, floors, race tests
# make test    everything that fits into some minutes: check, several nodes, faults, documents
# make demo    two nodes and two agents on this machine talk, for you to watch
# The rest is listed by `make help`.

GO          ?= go
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS     := -s -w -X main.version=$(VERSION)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 60s
PREFIX      ?= $(HOME)/.local
AGENTS      := .cache/agents
# The race detector needs a C compiler; without one the tests run without it.
RACE        := $(shell command -v $${CC:-gcc} >/dev/null 2>&1 && echo -race)
OWN         := ./cmd/... ./cli/... ./node/... ./overlay/... ./store/...
# make release-key makes RELEASE_KEY; without one the release is not signed, and its
# programs trust none. The addresses stand in the files of installers alone.
RELEASE_KEY ?=
RELEASE_URL ?= https://github.com/claudemesh/claudemesh/releases/download/$(VERSION)
LATEST_URL  ?= https://github.com/claudemesh/claudemesh/releases/latest/download
RELEASES    := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

# What another person may have sent is data: make does not expand it, and recipes read it
# from their environment alone.
override MESH := $(value MESH)
override LINK := $(value LINK)
export MESH LINK

.PHONY: help build install new join named linked check format vet staticcheck floors race demo test test-long test-agents bench bench-parts fuzz golden docs man release release-key image clean
.DEFAULT_GOAL := build

help:
	@grep -hoE '^[a-z][a-z-]*:' Makefile | tr -d ':' | tr '\n' ' '; echo

build: ## bin/claudemesh, static
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/claudemesh ./cmd/claudemesh

install: ## into PREFIX/bin, by default ~/.local/bin
	mkdir -p '$(PREFIX)/bin'
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o '$(PREFIX)/bin/claudemesh' ./cmd/claudemesh
	@case ":$$PATH:" in *':$(PREFIX)/bin:'*) ;; *) \
	  echo '  $(PREFIX)/bin is not in your PATH. Put this into your shell'"'"'s start file, as ~/.profile:'; \
	  echo '    export PATH="$(PREFIX)/bin:$$PATH"';; \
	esac

# Everything at once, for who begins: build, install, set up the coding agents, and make a
# mesh (`make new MESH=name`) or join one (`make join LINK=claudemesh://…`). Run again, they
# do what is still to be done.
new: named install
	'$(PREFIX)/bin/claudemesh' install
	@'$(PREFIX)/bin/claudemesh' new "$$MESH" || \
	  { test $$? = 6 && echo '  (There it is: this is another link to it.)'; }
	'$(PREFIX)/bin/claudemesh' --mesh "$$MESH" invite

join: linked install
	'$(PREFIX)/bin/claudemesh' install
	'$(PREFIX)/bin/claudemesh' join "$$LINK"

named:
	@test -n "$$MESH" || { echo 'Say what the mesh is to be called: make new MESH=name' >&2; exit 1; }

linked:
	@test -n "$$LINK" || { echo 'Say where to: make join LINK=claudemesh://join/…' >&2; exit 1; }

check: format vet staticcheck floors race

format:
	@bad=$$(gofmt -l cmd cli node overlay store test); \
	if [ -n "$$bad" ]; then echo "not formatted (run gofmt -w): $$bad"; exit 1; fi

vet:
	$(GO) vet ./...

staticcheck:
	$(GO) run $(STATICCHECK) ./...

floors:
	$(GO) test ./test/policy

race:
	$(GO) test $(RACE) $(OWN)

demo: build
	@CLAUDEMESH_BIN='$(CURDIR)/bin/claudemesh' $(GO) run ./test/demo

# One package after the other: they start real nodes, mounts and networks. The program that
# they share is built once.
test: check
	$(GO) build $(if $(CLAUDEMESH_E2E_RACE),-race) -o bin/test/claudemesh ./cmd/claudemesh
	CLAUDEMESH_BIN='$(CURDIR)/bin/test/claudemesh' $(GO) test -p 1 -timeout 20m ./test/...

test-long:
	CLAUDEMESH_LONG=1 $(GO) test -p 1 -timeout 3h $(OWN) ./test/...

test-agents: $(AGENTS)/installed ## with real agents; needs npm and tmux
	CLAUDEMESH_AGENTS='$(CURDIR)/$(AGENTS)' $(GO) test -tags agents -count 1 -v -timeout 20m ./test/agents/...

$(AGENTS)/installed: test/agents/npm.txt
	mkdir -p $(AGENTS)
	npm install --prefix $(AGENTS) --no-save --no-audit --no-fund --ignore-scripts --loglevel=error $$(cat $<)
	cp $< $@

bench: ## what is promised about speed, each figure beside its floor
	$(GO) run ./test/bench

bench-parts: ## the benchmarks of single packages
	$(GO) test -run '^$$' -bench . -timeout 1h $(OWN)

fuzz:
	@set -e; for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for target in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | sed 's/^func //'); do \
	    echo "== $$dir $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$dir; \
	  done; \
	done

golden: ## rewrite all golden files, to be reviewed as a difference
	$(GO) test $$(grep -rl --include='*_test.go' 'flag.Bool("update"' . | xargs -n1 dirname | sort -u) -update

docs: ## rewrite what is made from the operations and commands: reference.md, commands.md, schema/
	$(GO) test ./test/docs -run 'Reference|Commands' -update

man: ## man pages of all commands in dist/man
	$(GO) run ./cmd/manual dist/man '$(VERSION)'

release-key: ## a private key to sign releases with, in the file RELEASE_KEY
	@test -n '$(RELEASE_KEY)' || { echo 'say where: make release-key RELEASE_KEY=FILE'; exit 1; }
	$(GO) run ./cmd/release key '$(RELEASE_KEY)'

release: ## static binaries for all systems in dist/, SHA256SUMS, signature, installers' files
	rm -rf dist && mkdir dist
	$(GO) run ./cmd/manual dist/man '$(VERSION)'
	tar -C dist --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf - man | gzip -n > dist/claudemesh-man.tar.gz
	@set -e; flags='$(LDFLAGS)'; \
	if [ -n '$(RELEASE_KEY)' ]; then \
	  public=$$($(GO) run ./cmd/release public '$(RELEASE_KEY)'); flags="$$flags -X main.releaseKey=$$public"; \
	else \
	  echo 'No RELEASE_KEY: this release is not signed.'; \
	fi; \
	for target in $(RELEASES); do \
	  os=$${target%/*}; arch=$${target#*/}; ext=; [ $$os = windows ] && ext=.exe; \
	  echo "$$os/$$arch"; \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -buildvcs=false -ldflags "$$flags" \
	    -o dist/claudemesh-$$os-$$arch$$ext ./cmd/claudemesh; \
	done
	$(GO) run ./cmd/release finish -version '$(VERSION)' -url '$(RELEASE_URL)' -latest '$(LATEST_URL)' -key '$(RELEASE_KEY)' dist

image:
	docker build --build-arg VERSION='$(VERSION)' -t claudemesh:'$(VERSION)' .

clean:
	rm -rf bin dist
