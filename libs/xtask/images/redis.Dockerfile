# Stands in for redis:8: Debian's Redis 8 with the account and folder of the official image.
# hadolint global ignore=DL3008
FROM debian:trixie-slim
RUN groupadd --system --gid 999 redis && useradd --system --uid 999 --gid redis --home-dir /data redis \
    && apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends redis-server redis-sentinel \
    && rm -rf /var/lib/apt/lists/* && mkdir -p /data && chown redis: /data
WORKDIR /data
USER 999
VOLUME /data
EXPOSE 6379
CMD ["redis-server", "--protected-mode", "no"]
