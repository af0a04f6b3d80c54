# make run    build, open or create a SQLite database in ./data, fill it with a demo team, serve on 127.0.0.1:8080, open the console
# make pages  build the console and the explorer, where npm is there
# make test   everything: format, lints, tests on SQLite and on Postgres, dependencies, examples
# make simulate  purchases in a hostile world, by SEEDS=n seeds
# make fuzz   fuzz targets by libFuzzer, SECONDS=60 each; needs cargo-fuzz
# make bench  postings and log pages through HTTP, beside pgbench where Postgres is there
# make bench-prices  processor time of operations beside their prices
# make bench-page  processor time of a page of the credit log; PEERS=1: beside other servers
# make bench-reads  how pages grow, a small team, the typical screen, sums, the export; ENTRIES=n, PEERS=1: beside other servers
# make bench-idle  an idle server: processor time, statements, memory; its start and its size
# make bench-soak  MINUTES=30 at 70 % load: memory and latency over time
# make bench-smoke  instructions of some operations, beside committed counts; part of make test
# make bench-report  writes what was measured into BENCHMARKS.md
# make bench-live  sockets: memory of idle ones, from commit to client, messages a second, beside npm graphql-ws

.PHONY: run pages test fuzz simulate bench bench-live bench-page bench-reads bench-idle bench-soak bench-smoke bench-report bench-prices \
	schema fmt

run: pages
	cargo run --locked -- demo

pages:
	@scripts/pages.sh

test:
	@scripts/test.sh

# make simulate SEEDS=20000 FIRST=1   purchases in a hostile world, each by its seed, on all processors; says what happened in them
SEEDS ?= 500
FIRST ?= 1
simulate:
	SIMULATION_SEEDS=$(SEEDS) SIMULATION_FIRST=$(FIRST) cargo test --locked --test simulation -- --nocapture

# make fuzz SECONDS=600 TARGETS=documents   runs on stable, without a sanitizer; what is found lands in fuzz/artifacts
SECONDS ?= 60
TARGETS ?= scalars ids cursors credentials documents webhooks csv_cells
fuzz:
	@scripts/fuzz.sh $(SECONDS) $(TARGETS)

install_peers = cd benches/peers && npm install --no-audit --no-fund --no-package-lock

bench:
	cargo bench --locked --bench api

bench-live:
	cargo bench --locked --bench live

bench-page:
	cargo build --locked --release
	$(if $(PEERS),cargo build --locked --release --package bare)
	$(if $(PEERS),$(install_peers))
	node benches/reads/page.mjs $(if $(PEERS),--peers --bare target/release/bare)

ENTRIES ?= 1000000
bench-reads:
	cargo build --locked --release
	$(if $(PEERS),$(install_peers))
	node benches/reads/reads.mjs --entries $(ENTRIES) $(if $(PEERS),--peers)

# As it is shipped.
bench-idle:
	cargo build --locked --profile dist
	node benches/idle/idle.mjs

MINUTES ?= 30
bench-soak:
	cargo build --locked --release
	node benches/soak/soak.mjs --minutes $(MINUTES)

bench-smoke:
	cargo test --locked --quiet --bench smoke

bench-report:
	node benches/report/report.mjs

bench-prices:
	cargo bench --locked --bench prices

# Prints the public contract from the code; a test compares it.
schema:
	cargo run --locked --quiet -- schema > schema.graphql

fmt:
	cargo fmt --all
