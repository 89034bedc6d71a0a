# All images of roomcast: docker build --target gateway|auth|rooms|presence|roomcast|page .
# The stages `web` and `build` make everything once; each target is an empty image with one program, the libraries
# that it links and the roots of the certificate authorities: no shell, no package manager, no root.

# Settings without a secret, set by whoever builds a release.
ARG VERSION=0.0.0
ARG REVISION=unknown

# --- the page, which the all-in-one and the gateway also carry -------------------------------
FROM node:20-slim AS web
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund --loglevel=error
COPY web ./
RUN npm run build

# --- all programs, in one go, so that what they share is built once --------------------------
FROM rust:1.95-bookworm AS build
# `release` is built faster, for trying things out; `dist` is smaller. Neither image has symbols.
ARG PROFILE=dist
ENV CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_STRIP=symbols
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY proto proto
COPY libs libs
COPY services services
COPY --from=web /src/web/dist web/dist
COPY --from=web /src/web/dist-docs web/dist-docs
# The registry and the dependencies' builds outlive a change of our sources.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --locked --profile "$PROFILE" \
      --package roomcast --package roomcast-gateway --package roomcast-auth \
      --package roomcast-rooms --package roomcast-presence --package roomcast-page --bins \
    && mkdir -p /programs \
    && for name in roomcast roomcast-gateway roomcast-auth roomcast-rooms roomcast-presence roomcast-page; do \
         cp "target/$PROFILE/$name" "/programs/$name" || exit 1; \
       done
COPY docker/collect.sh /usr/local/bin/collect
RUN for name in roomcast roomcast-gateway roomcast-auth roomcast-rooms roomcast-presence; do \
      mkdir -p "/image/$name/usr/bin" \
      && cp "/programs/$name" "/image/$name/usr/bin/$name" \
      && collect "/programs/$name" "/image/$name" || exit 1; \
    done \
    && mkdir /empty

# --- nginx with its libraries; the page's own program starts it ------------------------------
FROM nginx:1.26 AS nginx
COPY docker/collect.sh /usr/local/bin/collect
COPY --from=build /programs/roomcast-page /usr/bin/roomcast-page
# Both with this image's libraries: those of the builder may be older than what nginx was linked with.
RUN collect /usr/sbin/nginx /image && collect /usr/bin/roomcast-page /image \
    && mkdir -p /image/usr/bin /image/usr/sbin /image/etc/nginx /image/var/log/nginx \
    && cp -L /usr/sbin/nginx /image/usr/sbin/nginx \
    && cp /usr/bin/roomcast-page /image/usr/bin/roomcast-page \
    && cp /etc/nginx/mime.types /image/etc/nginx/mime.types

# --- what all targets have in common ---------------------------------------------------------
FROM scratch AS base
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="roomcast" \
      org.opencontainers.image.description="Real-time chat: one order, nothing lost" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
STOPSIGNAL SIGTERM

FROM base AS gateway
COPY --from=build /image/roomcast-gateway /
EXPOSE 8080 9090
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["/usr/bin/roomcast-gateway", "health"]
ENTRYPOINT ["/usr/bin/roomcast-gateway"]

FROM base AS auth
COPY --from=build /image/roomcast-auth /
EXPOSE 50051 9090
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["/usr/bin/roomcast-auth", "health"]
ENTRYPOINT ["/usr/bin/roomcast-auth"]

FROM base AS rooms
COPY --from=build /image/roomcast-rooms /
EXPOSE 50051 50052 9090
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["/usr/bin/roomcast-rooms", "health"]
ENTRYPOINT ["/usr/bin/roomcast-rooms"]

FROM base AS presence
COPY --from=build /image/roomcast-presence /
EXPOSE 50051 9090
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["/usr/bin/roomcast-presence", "health"]
ENTRYPOINT ["/usr/bin/roomcast-presence"]

FROM base AS page
COPY --from=nginx /image /
COPY services/page/nginx.conf /etc/nginx/nginx.conf
COPY --from=web /src/web/dist /srv/page
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["/usr/bin/roomcast-page", "health"]
ENTRYPOINT ["/usr/bin/roomcast-page"]

# The whole system in one process, and the tools: `serve`, `admin`, `doctor`, `config`, `token`.
FROM base AS roomcast
COPY --from=build /image/roomcast /
# It keeps its log here: a volume laid over it gets the owner too.
COPY --from=build --chown=65532:65532 /empty /var/lib/roomcast
WORKDIR /var/lib/roomcast
EXPOSE 8080 50052 9090
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["/usr/bin/roomcast", "health"]
ENTRYPOINT ["/usr/bin/roomcast"]
CMD ["serve"]
