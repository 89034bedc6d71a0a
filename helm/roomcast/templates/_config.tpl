{{/* The one roomcast.toml of an installation: what the values say, and what only the chart can know. */}}

{{/* Keys whose values follow from the chart's objects. Setting one would break the objects. */}}
{{- define "roomcast.config.owned" -}}
gateway.listen gateway.peer_listen gateway.peer_url gateway.tls.certificate_file gateway.tls.key_file ops.listen
auth.listen auth.database auth.database_file auth.tokens.hmac_secret auth.tokens.hmac_secret_file auth.backend.secret
auth.backend.secret_file rooms.listen rooms.admin_listen rooms.database rooms.database_file presence.listen
presence.store presence.store_file bus.addresses bus.addresses_file rpc.auth rpc.rooms rpc.presence
rpc.tls.certificate_file rpc.tls.key_file rpc.tls.authority_file rpc.tls.domain roomcast.data_dir
roomcast.dev_issuer roomcast.dev_issuer_beyond_loopback
{{- end -}}

{{- define "roomcast.config.check" -}}
{{- $config := .Values.config -}}
{{- range include "roomcast.config.owned" . | replace "\n" " " | splitList " " -}}
{{- $at := $config -}}
{{- $there := true -}}
{{- range splitList "." . -}}
{{- if and (kindIs "map" $at) (hasKey $at .) }}{{ $at = get $at . }}{{ else }}{{ $there = false }}{{ $at = dict }}{{ end -}}
{{- end -}}
{{- if $there }}{{ fail (printf "config.%s: the chart sets this key itself; see values.yaml for what it follows from" .) }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* Whether anybody could sign in. */}}
{{- define "roomcast.config.waysIn" -}}
{{- $auth := .Values.config.auth | default dict -}}
{{- $tokens := $auth.tokens | default dict -}}
{{- $backend := $auth.backend | default dict -}}
{{- if or $auth.issuers $auth.anonymous $tokens.jwks_file .Values.secrets.tokens.existingSecret $backend.connect_url .Values.devDependencies.enabled }}true
{{- else if and (eq .Values.mode "standalone") .Values.standalone.devIssuer }}true{{ end -}}
{{- end -}}

{{/* What the chart adds, as YAML. */}}
{{- define "roomcast.config.added" -}}
{{- $name := include "roomcast.fullname" . -}}
{{- $secrets := "/run/secrets/roomcast" -}}
{{- $standalone := include "roomcast.isStandalone" . -}}
{{- $tls := include "roomcast.tls.secret" . -}}
{{- $scheme := ternary "https" "http" (ne (include "roomcast.serviceTls" .) "") -}}
{{- if $standalone }}
ops: { listen: "0.0.0.0:9090" }
rooms: { admin_listen: "0.0.0.0:50052" }
roomcast:
  data_dir: /data/roomcast
  dev_issuer: {{ .Values.standalone.devIssuer }}
  dev_issuer_beyond_loopback: {{ .Values.standalone.devIssuer }}
{{- else }}
bus: { addresses_file: {{ $secrets }}/broker }
rpc:
  auth: ["{{ $scheme }}://{{ $name }}-auth:50051"]
  rooms: ["{{ $scheme }}://{{ $name }}-rooms:50051"]
  presence: ["{{ $scheme }}://{{ $name }}-presence:50051"]
  {{- if include "roomcast.serviceTls" . }}
  tls:
    certificate_file: /run/service-tls/tls.crt
    key_file: /run/service-tls/tls.key
    authority_file: /run/service-tls/ca.crt
    domain: {{ include "roomcast.serviceTls.domain" . }}
  {{- end }}
rooms: { database_file: {{ $secrets }}/rooms-database }
presence: { store_file: {{ $secrets }}/presence-store }
{{- end }}
{{- if or (not $standalone) .Values.secrets.tokens.existingSecret .Values.secrets.backend.existingSecret }}
auth:
  {{- if not $standalone }}
  database_file: {{ $secrets }}/auth-database
  {{- end }}
  {{- if .Values.secrets.tokens.existingSecret }}
  tokens: { hmac_secret_file: {{ $secrets }}/tokens }
  {{- end }}
  {{- if .Values.secrets.backend.existingSecret }}
  backend: { secret_file: {{ $secrets }}/backend }
  {{- end }}
{{- end }}
{{- if or $standalone $tls }}
gateway:
  {{- if $standalone }}
  listen: "0.0.0.0:8080"
  {{- end }}
  {{- if $tls }}
  tls: { certificate_file: /run/tls/tls.crt, key_file: /run/tls/tls.key }
  {{- end }}
{{- end }}
{{- end -}}

{{/* All of it, as TOML. */}}
{{- define "roomcast.config.toml" -}}
{{- include "roomcast.config.check" . -}}
{{- if and .Values.devDependencies.enabled (include "roomcast.isStandalone" .) -}}
{{- fail "devDependencies.enabled: mode standalone needs no other parts" -}}
{{- end -}}
{{- if not (include "roomcast.config.waysIn" .) -}}
{{- fail "config.auth.issuers: name who signs people in, as [{url: https://id.example.com/realms/chat, client_ids: [frontend]}], or give another way in: secrets.tokens.existingSecret, config.auth.backend.connect_url, config.auth.anonymous. For a first try: devDependencies.enabled=true" -}}
{{- end -}}
{{- $config := mergeOverwrite (deepCopy .Values.config) (include "roomcast.config.added" . | fromYaml) -}}
{{- if .Values.devDependencies.enabled -}}
{{- $_ := set $config.auth "issuers" (append ($config.auth.issuers | default list) (include "roomcast.dev.issuer" . | fromYaml)) -}}
{{- end -}}
# One file for every process; each reads its own sections. Written by the chart from `config` in its values.
{{ include "roomcast.toml.table" (dict "path" "" "table" $config) }}
{{- end -}}

{{/* The issuer that the page sends people to, as YAML. */}}
{{- define "roomcast.page.issuer" -}}
{{- $issuers := (.Values.config.auth | default dict).issuers | default list -}}
{{- if $issuers }}{{ first $issuers | toYaml }}{{ else if .Values.devDependencies.enabled }}{{ include "roomcast.dev.issuer" . }}{{ end -}}
{{- end -}}
