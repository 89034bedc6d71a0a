# Stands in for an ACME authority in tests: Pebble of Let's Encrypt, with the certificate for its own port that it
# comes with. It asks for http-01 where Traefik listens inside of the network.
FROM debian:trixie-slim
COPY --chmod=755 pebble /usr/local/bin/pebble
COPY --chmod=644 cert.pem key.pem pebble.minica.pem /pebble/
RUN printf '{"pebble":{"listenAddress":"0.0.0.0:14000","managementListenAddress":"0.0.0.0:15000",%s,"httpPort":8000,"tlsPort":8443}}' \
    '"certificate":"/pebble/cert.pem","privateKey":"/pebble/key.pem"' > /pebble/config.json
# It rejects and sleeps now and then, to teach its clients; tests are no place for that.
ENV PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=0
USER 65532
CMD ["pebble", "-config", "/pebble/config.json"]
