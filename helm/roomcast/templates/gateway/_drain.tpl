{{/* How long a gateway may take to go: the wait before SIGTERM, in which it leaves the balancers'
     lists, and its own drain, whose parts must fit into what it gives itself. */}}
{{- define "roomcast.gateway.grace" -}}
{{- $drain := (.Values.config.gateway | default dict).drain | default dict -}}
{{- $given := (.Values.config.ops | default dict).shutdown_ms_max | default 60000 | int -}}
{{- $accept := ternary (int $drain.accept_ms) 5000 (hasKey $drain "accept_ms") -}}
{{- $needed := add $accept ($drain.window_ms | default 20000 | int) ($drain.finish_ms | default 10000 | int) | int -}}
{{- if gt $needed $given -}}
{{- fail (printf "config.gateway.drain: its parts take %d ms together, and config.ops.shutdown_ms_max ends the process after %d ms" $needed $given) -}}
{{- end -}}
{{- add .Values.gateway.preStopSeconds (div (add $given 999) 1000) 5 -}}
{{- end -}}
