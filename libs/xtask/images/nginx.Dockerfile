# Stands in for nginx:1.26: Debian's nginx 1.26 with the account, folders and signals of the official image.
# hadolint global ignore=DL3008
FROM debian:trixie-slim
RUN groupadd --system --gid 101 nginx && useradd --system --uid 101 --gid nginx --no-create-home nginx \
    && apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends nginx-light curl \
    && rm -rf /var/lib/apt/lists/* /etc/nginx/sites-enabled /etc/nginx/modules-enabled \
    && mkdir -p /var/cache/nginx && chown nginx: /var/cache/nginx \
    && ln -sf /dev/stdout /var/log/nginx/access.log && ln -sf /dev/stderr /var/log/nginx/error.log
STOPSIGNAL SIGQUIT
EXPOSE 80
CMD ["nginx", "-g", "daemon off;"]
