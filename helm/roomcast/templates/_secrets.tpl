{{/* Where each secret comes from: a Secret of yours, or the one made for the throw-away parts.
     There is no third way, so that no password stands in a values file or is anybody's default. */}}

{{/* (dict "root" $ "secret" "roomsDatabase") -> "name key". */}}
{{- define "roomcast.secret" -}}
{{- $given := get .root.Values.secrets .secret -}}
{{- $database := .root.Values.secrets.roomsDatabase -}}
{{- if $given.existingSecret -}}
{{ $given.existingSecret }} {{ $given.key }}
{{- else if and (eq .secret "authDatabase") $database.existingSecret -}}
{{ $database.existingSecret }} {{ $database.key }}
{{- else if .root.Values.devDependencies.enabled -}}
{{ include "roomcast.dev.secret" .root }} {{ get (dict "roomsDatabase" "database" "authDatabase" "database" "broker" "broker" "presenceStore" "presence-store") .secret }}
{{- else -}}
{{- fail (printf "secrets.%s.existingSecret: name the Secret whose key %q holds %s. For a first try: devDependencies.enabled=true" .secret $given.key (get (dict "roomsDatabase" "postgres://USER:PASSWORD@HOST:5432/NAME" "authDatabase" "postgres://USER:PASSWORD@HOST:5432/NAME" "broker" "amqp://USER:PASSWORD@HOST:5672/VHOST, one a line" "presenceStore" "redis://:PASSWORD@HOST:6379") .secret)) -}}
{{- end -}}
{{- end -}}

{{/* Files of a pod's secrets: (dict "root" $ "secrets" (list "broker")). */}}
{{- define "roomcast.secrets.sources" -}}
{{- $files := dict "roomsDatabase" "rooms-database" "authDatabase" "auth-database" "broker" "broker" "presenceStore" "presence-store" "tokens" "tokens" "backend" "backend" -}}
{{- $root := .root -}}
{{- range .secrets }}
{{- if or (not (has . (list "tokens" "backend"))) (get $root.Values.secrets .).existingSecret }}
{{- $pair := include "roomcast.secret" (dict "root" $root "secret" .) | splitList " " }}
- secret:
    name: {{ index $pair 0 }}
    items: [{ key: {{ index $pair 1 }}, path: {{ get $files . }} }]
{{- end }}
{{- end }}
{{- end -}}

{{/* The Secret with the certificate of the public port, if it speaks TLS. */}}
{{- define "roomcast.tls.secret" -}}
{{- $tls := .Values.gateway.tls -}}
{{- if $tls.existingSecret }}{{ $tls.existingSecret }}
{{- else if $tls.certManager.issuerRef.name }}{{ include "roomcast.fullname" . }}-gateway-tls
{{- end -}}
{{- end -}}
