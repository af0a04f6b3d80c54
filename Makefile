# make run    build, open or create a SQLite database in ./data, fill it with a demo team, serve on 127.0.0.1:8080, open the console
# make pages  build the console and the explorer, where npm is there
# make test   everything: format, lints, tests on SQLite and on Postgres, dependencies, examples
# make simulate  purchases in a hostile world, by SEEDS=n seeds
# make dist   a release into target/release-files: the executable, checksums, lists of components (SBOM), notes
# make compare-builds  builds it twice, in two directories, and compares the bytes; takes long
# make fuzz   fuzz targets by libFuzzer, SECONDS=60 each; needs cargo-fuzz
# make bench  postings through HTTP, beside pgbench and bare SQLite
# make bench-live  sockets: memory of idle ones, from commit to client, messages a second, beside async-graphql-axum and npm graphql-ws
# make bench-page  processor time of a page of the credit log; PEERS=1: beside other servers
# make bench-fields  the same against the number of fields; PEERS=1: beside other servers
# make bench-growth  pages against the length of the log; ENTRIES=10000000
# make bench-reads  a small team, the typical screen, sums, the export; PEERS=1: beside Apollo Server
# make bench-idle  an idle server: processor time, statements, memory; its start and its size
# make bench-soak  MINUTES=30 at 70 % load: memory and latency over time
# make bench-all  all of these with their peers, one after another, about an hour; then the report
# make bench-report  writes what was measured into BENCHMARKS.md
# make bench-prices  processor time of operations beside their prices
# make bench-smoke  instructions of some operations, beside committed counts; part of make test
#   SERVER=target/dist/ledgerbell measures a built server; POSTGRES=url measures there, otherwise a private one is started and stopped

.PHONY: run pages test dist compare-builds fuzz simulate schema fmt bench bench-live bench-page bench-fields bench-growth bench-reads \
	bench-idle bench-soak bench-all bench-report bench-prices bench-smoke

run: pages
	cargo run --locked -- demo

pages:
	@scripts/pages.sh

test:
	@scripts/test.sh

dist: pages
	@scripts/dist.sh

compare-builds: pages
	@scripts/compare_builds.sh

# make simulate SEEDS=20000 FIRST=1   purchases in a hostile world, each by its seed, on all processors; says what happened in them. On SQLite,
# or where LEDGERBELL_TEST_DATABASE_URL (Postgres) or LEDGERBELL_TEST_CITUS_URL (a coordinator) points
SEEDS ?= 500
FIRST ?= 1
simulate:
	SIMULATION_SEEDS=$(SEEDS) SIMULATION_FIRST=$(FIRST) cargo test --locked --test simulation -- --nocapture

# make fuzz SECONDS=600 TARGETS=documents   runs on stable, without a sanitizer; what is found lands in fuzz/artifacts
SECONDS ?= 60
TARGETS ?= scalars ids cursors credentials documents webhooks csv_cells
fuzz:
	@scripts/fuzz.sh $(SECONDS) $(TARGETS)

export SERVER POSTGRES PEERS
ENTRIES ?= 1000000
MINUTES ?= 30

bench:
	@scripts/bench.sh postings

bench-live:
	@scripts/bench.sh live

bench-page:
	@scripts/bench.sh page

bench-fields:
	@scripts/bench.sh fields

bench-growth:
	@scripts/bench.sh growth --entries $(ENTRIES)

bench-reads:
	@scripts/bench.sh reads --entries $(ENTRIES)

bench-idle:
	@scripts/bench.sh idle

bench-soak:
	@scripts/bench.sh soak --minutes $(MINUTES)

bench-all: export PEERS = 1
bench-all:
	@scripts/bench.sh postings
	@scripts/bench.sh live
	@scripts/bench.sh page
	@scripts/bench.sh fields
	@scripts/bench.sh growth --entries $(ENTRIES)
	@scripts/bench.sh reads
	@scripts/bench.sh idle
	@scripts/bench.sh soak --minutes $(MINUTES)
	@$(MAKE) --no-print-directory bench-report

bench-report:
	@node benches/report/report.mjs

# In this process, compiled as for daily work: only ratios between operations count.
bench-prices:
	cargo bench --locked --profile release --bench prices

bench-smoke:
	cargo test --locked --quiet --bench smoke

# Prints the public contract from the code; a test compares it.
schema:
	cargo run --locked --quiet -- schema > schema.graphql

fmt:
	cargo fmt --all
