# What a developer, a packager, a newcomer types; `make help` lists it.

PREFIX ?= /usr/local
DESTDIR ?=
# The wrapper's name: containerd's client is called ctr too.
CTR ?= ctr
CARGO ?= cargo

bindir = $(DESTDIR)$(PREFIX)/bin
mandir = $(DESTDIR)$(PREFIX)/share/man
sharedir = $(DESTDIR)$(PREFIX)/share
unitdir = $(DESTDIR)$(PREFIX)/lib/systemd/system

host = $(shell rustc -vV | sed -n 's/^host: //p')
built = $(abspath $(or $(CARGO_TARGET_DIR),target))/$(host)/release
tools := $(shell sed -n 's/^name = "\(.*\)"/\1/p' tools/*/Cargo.toml)
scripts := tools/ctr/ctr .ci/run $(wildcard tests/*.sh tests/*/*.sh)

.PHONY: help build demo test test-vm check bench fuzz install uninstall clean
.DEFAULT_GOAL := build

help: ## List what make can do
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 12
	@echo
	@echo 'make test T=NAME, make test-vm T=NAME: those of the suite'\''s tests whose name contains NAME.'
	@echo 'make install PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) CTR=$(CTR) puts the wrapper ctr there as $$(CTR).'

build: ## Build every tool, optimized and static
	@tests/deps.sh build
	$(CARGO) build --release --workspace --exclude ctr-tests

demo: ## Build, then walk the pipe from an image to a process, stage by stage (root)
	@tests/deps.sh build demo
	@$(CARGO) build --quiet --release --workspace --exclude ctr-tests
	@PATH="$(built):$(CURDIR)/tools/ctr:$$PATH" tests/demo.sh

test: ## Run every test on real kernels, registries, images (root)
	@tests/deps.sh build test
	$(CARGO) build --release --workspace --exclude ctr-tests
	@CTR_TEST_BIN="$(built)" tests/run.sh $(T)

test-vm: ## Run the tests about control groups in a virtual machine with cgroup v2 alone (root)
	@tests/deps.sh build vm
	$(CARGO) build --release --workspace --exclude ctr-tests
	@CTR_TEST_BIN="$(built)" tests/vm/run.sh $(T)

check: ## Format, lints, licenses, man pages, shell scripts
	@tests/deps.sh build check
	$(CARGO) fmt --all --check
	$(CARGO) clippy --quiet --workspace --all-targets -- -D warnings
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --log-level warn check licenses bans sources; \
		else echo 'cargo deny: not installed, not checked (cargo install cargo-deny)'; fi
	mandoc -Tlint -Wwarning man/*.[1-8]
	shellcheck -x $(scripts)
	shfmt -d $(scripts)

bench: ## Time us and the peers that are installed on the same work; a Markdown table (root)
	@tests/deps.sh build test
	@$(CARGO) build --quiet --release --workspace --exclude ctr-tests
	@PATH="$(built):$(CURDIR)/tools/ctr:$$PATH" python3 -B tests/bench/bench.py $(G)

fuzz: ## Fuzz what reads strangers' bytes, SECONDS=60 a target
	@tests/fuzz/run.sh $(or $(SECONDS),60) $(T)

install: build ## Install under $(DESTDIR)$(PREFIX): tools, wrapper, man pages, completions
	install -d '$(bindir)' '$(mandir)/man1' '$(mandir)/man5' '$(mandir)/man7' '$(sharedir)/doc/ctr'
	install -m 755 $(addprefix '$(built)'/,$(tools)) '$(bindir)'
	install -m 755 tools/ctr/ctr '$(bindir)/$(CTR)'
	for page in man/*.[157]; do install -m 644 "$$page" '$(mandir)'/man"$${page##*.}"; done
	[ '$(CTR)' = ctr ] || mv '$(mandir)/man1/ctr.1' '$(mandir)/man1/$(CTR).1'
	install -m 644 LICENSE man/ctr-document.schema.json '$(sharedir)/doc/ctr'
	install -d '$(unitdir)'
	sed 's|@bindir@|$(PREFIX)/bin|' tools/ctr-start/share/ctr.service >'$(unitdir)/$(CTR).service'
	'$(built)/ctr-completions' '$(sharedir)' '$(CTR)'

uninstall: ## Take away what install put there
	cd '$(bindir)' && rm -f $(tools) '$(CTR)'
	for page in man/*.[157]; do rm -f '$(mandir)'/man"$${page##*.}/$${page##*/}"; done
	rm -f '$(mandir)/man1/$(CTR).1'
	for tool in $(tools) '$(CTR)'; do rm -f '$(sharedir)'/bash-completion/completions/"$$tool" \
		'$(sharedir)'/zsh/site-functions/_"$$tool" '$(sharedir)'/fish/vendor_completions.d/"$$tool".fish; done
	rm -rf '$(sharedir)/doc/ctr' '$(unitdir)/$(CTR).service'

clean: ## Remove what was built, test images too
	$(CARGO) clean
