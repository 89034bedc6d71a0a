# Stands in for jaegertracing/jaeger: the same release, built from its Go module without its page.
FROM debian:trixie-slim
COPY --chmod=755 jaeger /usr/local/bin/jaeger
USER 65532
ENTRYPOINT ["jaeger"]
