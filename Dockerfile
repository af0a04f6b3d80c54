# syntax=docker/dockerfile:1
FROM node:20-bookworm-slim AS pages
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc ./
COPY web/client/package.json client/
COPY web/react/package.json react/
COPY web/gallery/package.json gallery/
COPY web/explorer/package.json explorer/
COPY web/console/package.json console/
RUN npm ci --no-audit --no-fund
COPY LICENSE schema.graphql /src/
COPY web .
RUN npm run build -w client -w react -w explorer -w console

FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
COPY --from=pages /src/web/console/dist web/console/dist
COPY --from=pages /src/web/explorer/dist web/explorer/dist
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --profile dist --locked && cp target/dist/ledgerbell /ledgerbell

FROM debian:12.12-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 ledgerbell && useradd --system --uid 10001 --gid ledgerbell --home-dir /data ledgerbell \
    && install -d -m 700 -o ledgerbell -g ledgerbell /data
COPY --from=build /ledgerbell /usr/local/bin/ledgerbell
# By number: Kubernetes then knows that it is not root. Only /data is written to, so the root file system may be read-only.
USER 10001:10001
VOLUME /data
ENV LEDGERBELL_LISTEN=0.0.0.0:8080 LEDGERBELL_DATA_DIR=/data LEDGERBELL_LOG_FORMAT=json
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=6s --start-period=20s CMD ["ledgerbell", "healthcheck"]
ENTRYPOINT ["ledgerbell"]
CMD ["serve"]
