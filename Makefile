# Every target is one that a developer or CI runs; `make` alone lists them.

.DEFAULT_GOAL := help
.NOTPARALLEL:
# Nearly all of the integration tests' time is waiting.
export RUST_TEST_THREADS ?= 4
.PHONY: help test tools fmt lint doc unit it gateways bench accuracy soak detection canary-power dashboards pictures screenshots chart image image-test sizing sbom demo clean-tools

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: tools lint doc gateways ## all that CI runs: install what the tests need, lint, doc, every test
	cargo test --locked

tools: ## install what the tests run against into .tools (quick when all is there)
	tests/tools/install

fmt: ## format the code
	cargo fmt

lint: tools ## format, clippy, spelling, Dockerfile: check without changing anything
	cargo fmt --check
	.tools/bin/typos
	.tools/bin/hadolint Dockerfile
	cargo clippy --locked --all-targets -- -D warnings

doc: ## build the documentation; a warning is an error
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

unit: ## the tests inside the source files, and the examples in the documentation
	cargo test --locked --lib --bins
	cargo test --locked --doc

it: tools ## the integration tests: real sockets, third-party gateways, Prometheus
	cargo test --locked --test it

gateways: tools ## the third-party gateways that the tests run start, echo and end
	.tools/python/bin/python tests/gateways/selftest.py

bench: ## measure what the agent costs against the machine's limits; writes docs/performance.md
	cargo bench --locked --bench performance -- --write docs/performance.md

accuracy: ## the zombie clock against the reference gateway's log: 100 clean-ups, on an idle machine
	cargo test --locked --test it -- --ignored --nocapture accuracy::

soak: ## every check against a healthy gateway, 100,000 runs (RUNS=, AT_ONCE=, MINUTES= at most, CHECK=): no false alarm
	cargo test --locked --release --test it -- --ignored --nocapture soak::

detection: ## measure how long each fault takes to be found; writes docs/detection.md
	cargo test --locked --test it -- --ignored --nocapture matrix::detection::

canary-power: ## measure what the canary gate finds, and how often it errs, in simulated worlds; writes docs/canary.md
	cargo test --locked --release --lib -- --ignored --nocapture canary::tests::power::

dashboards: ## write dashboards/*.json from dashboards/source
	python3 dashboards/generate.py

pictures: tools ## draw docs/img: half an hour with npm packages, Chromium and a demo run of 12 minutes (MINUTES=)
	cargo build --release --locked
	cd docs/img/draw && npm ci --ignore-scripts --legacy-peer-deps --no-audit --no-fund
	python3 docs/img/draw/record.py --minutes $(or $(MINUTES),12) --out .tools/pictures/answers.json
	node docs/img/draw/draw.mjs .tools/pictures/answers.json docs/img

screenshots: tools ## take docs/img/page-*.png of the page, of an agent with gateways that break: some minutes
	cargo build --release --locked
	node tests/page/pictures.mjs target/release/gateprobe docs/img

chart: tools dashboards ## write what the chart copies from elsewhere, its README, and the plain manifests made of it
	.tools/python/bin/python deploy/helm/generate.py

image: ## the image, from a static program: takes minutes (IMAGE_BUILDER=buildah, podman or docker)
	deploy/image

image-test: tools ## build an image of the tests' own program (or IMAGE_PROGRAM=) by buildah, run it by podman; needs root
	tests/tools/install podman
	cargo test --locked --test it -- --ignored --nocapture image::

sizing: image ## measure what the agent needs for so many targets; writes the table of docs/install.md
	python3 deploy/sizing.py target/image/gateprobe

sbom: ## what the program is made of, as CycloneDX, into target/sbom
	deploy/sbom

demo: ## the agent beside a gateway that breaks after a while and heals
	cargo run --release --locked -- demo

clean-tools: ## remove .tools
	rm -rf .tools
