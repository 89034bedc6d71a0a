{{/* Who may open a connection to whom: the arrows of docs/ARCHITECTURE.md, and nothing else.
     `roomcast.policy` turns them into a NetworkPolicy of one component, both directions. */}}

{{- define "roomcast.arrows" -}}
arrows:
{{- if include "roomcast.isStandalone" . }}
  - { from: outside, to: standalone, port: 8080 }
  - { from: admin, to: standalone, port: 50052 }
  - { from: monitoring, to: standalone, port: 9090 }
  - { from: standalone, to: identity }
  - { from: standalone, to: telemetry }
  - { from: test, to: standalone, port: 8080 }
  - { from: test, to: standalone, port: 50052 }
{{- else }}
  - { from: outside, to: gateway, port: 8080 }
  - { from: outside, to: page, port: 8080 }
  - { from: gateway, to: gateway, port: 50053 }
  - { from: gateway, to: auth, port: 50051 }
  - { from: gateway, to: rooms, port: 50051 }
  - { from: gateway, to: presence, port: 50051 }
  - { from: gateway, to: broker }
  - { from: auth, to: database }
  - { from: auth, to: identity }
  - { from: rooms, to: auth, port: 50051 }
  - { from: rooms, to: presence, port: 50051 }
  - { from: rooms, to: database }
  - { from: rooms, to: broker }
  - { from: presence, to: store }
  - { from: presence, to: broker }
  - { from: admin, to: rooms, port: 50052 }
  {{- range list "gateway" "auth" "rooms" "presence" }}
  - { from: monitoring, to: {{ . }}, port: 9090 }
  - { from: {{ . }}, to: telemetry }
  {{- end }}
  # The pods of `helm test` ask every part, as an operator's `roomcast doctor` does.
  - { from: test, to: gateway, port: 8080 }
  - { from: test, to: page, port: 8080 }
  - { from: test, to: rooms, port: 50052 }
  {{- range list "auth" "rooms" "presence" }}
  - { from: test, to: {{ . }}, port: 50051 }
  {{- end }}
  {{- range list "database" "broker" "store" "identity" }}
  - { from: test, to: {{ . }} }
  {{- end }}
  {{- if .Values.devDependencies.enabled }}
  - { from: outside, to: identity }
  - { from: outside, to: dev-front, port: 8080 }
  - { from: dev-front, to: gateway, port: 8080 }
  - { from: dev-front, to: page, port: 8080 }
  {{- end }}
{{- end }}
{{- end -}}

{{/* The other end of an arrow, as YAML {peers, port}: (dict "root" $ "end" "database" "port" 0). */}}
{{- define "roomcast.end" -}}
{{- $policy := .root.Values.networkPolicy -}}
{{- $dev := dict "database" "dev-postgres" "broker" "dev-rabbitmq" "store" "dev-redis" "identity" "dev-keycloak" -}}
{{- if and .root.Values.devDependencies.enabled (hasKey $dev .end) }}
port: {{ get (dict "database" 5432 "broker" 5672 "store" 6379 "identity" 8080) .end }}
peers:
  - podSelector:
      matchLabels:
        {{- include "roomcast.selector" (dict "root" .root "component" (get $dev .end)) | nindent 8 }}
{{- else if hasKey $policy.to .end }}
{{- $to := get $policy.to .end }}
port: {{ $to.port }}
peers: {{ $to.peers | toJson }}
{{- else if hasKey $policy.from .end }}
port: {{ .port }}
peers: {{ (get $policy.from .end).peers | toJson }}
{{- else }}
port: {{ .port }}
peers:
  - podSelector:
      matchLabels:
        {{- include "roomcast.selector" (dict "root" .root "component" .end) | nindent 8 }}
{{- end }}
{{- end -}}

{{/* (dict "root" $ "component" "rooms"); "as" is the word of the arrows for a throw-away part. */}}
{{- define "roomcast.policy" -}}
{{- if .root.Values.networkPolicy.enabled -}}
{{- $root := .root -}}
{{- $self := .as | default .component -}}
{{- $arrows := (include "roomcast.arrows" .root | fromYaml).arrows -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "roomcast.meta" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "roomcast.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- range $arrows }}
    {{- if eq .to $self }}
    {{- $from := include "roomcast.end" (dict "root" $root "end" .from "port" .port) | fromYaml }}
    {{- $to := include "roomcast.end" (dict "root" $root "end" .to "port" .port) | fromYaml }}
    {{- $nobody := and (eq .from "admin") (not $from.peers) }}
    {{- if not $nobody }}
    # from {{ .from }}
    - ports: [{ protocol: TCP, port: {{ .port | default $to.port }} }]
      {{- with $from.peers }}
      from:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- end }}
    {{- end }}
    {{- end }}
  egress:
    {{- if not .as }}
    # names
    {{- $dns := $root.Values.networkPolicy.dns }}
    - ports: [{ protocol: UDP, port: {{ $dns.port }} }, { protocol: TCP, port: {{ $dns.port }} }]
      {{- with $dns.peers }}
      to:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- end }}
    {{- range $arrows }}
    {{- $traced := or (ne .to "telemetry") ($root.Values.config.telemetry | default dict).otlp_endpoint }}
    {{- if and (eq .from $self) $traced }}
    {{- $to := include "roomcast.end" (dict "root" $root "end" .to "port" .port) | fromYaml }}
    # to {{ .to }}
    - ports: [{ protocol: TCP, port: {{ .port | default $to.port }} }]
      {{- with $to.peers }}
      to:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- end }}
    {{- end }}
{{- end -}}
{{- end -}}
